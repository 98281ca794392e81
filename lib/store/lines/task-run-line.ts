import type { RunInput, TaskRun } from '../../core/run.js'
import { type Line, quoted } from './line.js'
import type { ValueCodec } from './line-values.js'
import { stateFields, stateOf } from './state-fields.js'

/** The line of a new task run. */
export function taskRunLine(run: TaskRun, seq: number, codec: ValueCodec): string {
  const tags = run.tags.length > 0 ? `,"tags":${JSON.stringify(run.tags)}` : ''
  const described = run.inputs // once: a record may describe its inputs only when it is asked
  const inputs = described.length > 0 ? `,"inputs":[${inputFields(described)}]` : ''
  const child = run.childFlowRunId === undefined ? '' : `,"child":${quoted(run.childFlowRunId)}`
  const version = run.taskVersion === undefined ? '' : `,"tv":${quoted(run.taskVersion)}`
  return (
    `{"t":${quoted(run.id)},"f":${quoted(run.flowRunId)},"q":${seq},"name":${quoted(run.name)}` +
    `,"task":${quoted(run.taskName)},"key":${quoted(run.taskKey)},"dk":${run.dynamicKey},"created":${run.created}` +
    `${tags}${inputs}${hashField(run)}${version}${child}${counters(run)},${stateFields(run.state, codec, true, run.flowRunId)}}\n`
  )
}

// taskRunLine names each field of a task run. Whoever adds one is reminded here.
type Written = 'kind' | 'id' | 'name' | 'created' | 'tags' | 'state' | 'startTime' | 'endTime' | 'totalRunTimeMs'
type WrittenOfTasks =
  | 'runCount'
  | 'flowRunId'
  | 'taskName'
  | 'taskKey'
  | 'dynamicKey'
  | 'inputs'
  | 'childFlowRunId'
  | 'inputHash'
  | 'taskVersion'
const nothingForgotten: [Exclude<keyof TaskRun, Written | WrittenOfTasks>] extends [never] ? true : never = true
void nothingForgotten

/** What a task run was called with is often known when it has completed, and not before. */
export function hashField({ inputHash }: TaskRun): string {
  return inputHash === undefined ? '' : `,"ih":${quoted(inputHash)}`
}

function inputFields(inputs: readonly RunInput[]): string {
  let text = ''
  for (const { name, runs, preview } of inputs) {
    if (text !== '') text += ','
    text += `{"name":${quoted(name)}`
    if (runs !== undefined)
      text += runs.length === 1 ? `,"runs":[${quoted(runs[0]!)}]` : `,"runs":${JSON.stringify(runs)}`
    if (preview !== undefined) text += `,"preview":${JSON.stringify(preview)}`
    text += '}'
  }
  return text
}

/** What `enter` has counted before the run was written: nothing, nearly always. */
function counters(run: TaskRun): string {
  if (run.runCount === 0 && run.startTime === undefined && run.endTime === undefined) return ''
  const { startTime, endTime, totalRunTimeMs, runCount } = run
  return `,"past":${JSON.stringify({ startTime, endTime, totalRunTimeMs, runCount })}`
}

/** The task run that a `t` line tells of, in its first state. */
export function taskRunOf({ fields, value }: Line, codec?: ValueCodec): TaskRun {
  const run: TaskRun = {
    kind: 'task-run',
    id: fields.t!,
    name: fields.name,
    flowRunId: fields.f!,
    taskName: fields.task,
    taskKey: fields.key,
    dynamicKey: fields.dk,
    created: fields.created,
    tags: fields.tags ?? [],
    inputs: fields.inputs ?? [],
    ...(fields.ih !== undefined && { inputHash: fields.ih }),
    ...(fields.tv !== undefined && { taskVersion: fields.tv }),
    state: stateOf({ fields, value }, codec),
    totalRunTimeMs: 0,
    runCount: 0,
    ...fields.past,
  }
  if (fields.child !== undefined) run.childFlowRunId = fields.child
  return run
}
