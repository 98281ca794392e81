/** What `--json` prints. docs/CLI.md describes it; what is there stays there. Times are ISO 8601, spans milliseconds. */
import type { LogEntry } from '../core/logger.js'
import type { FlowRun, RunBase, RunInput, TaskRun } from '../core/run.js'
import type { State } from '../core/state.js'
import type { StoredRun } from '../core/store.js'
import { preview } from '../values/preview.js'

export function flowRunJson({ run, owner, ownerGone }: StoredRun<FlowRun>) {
  const { flowName, version, file, description, executor, parameters, idempotencyKey, deployment, scheduledTime } = run
  return {
    ...baseJson(run),
    flowName,
    executor: executor || undefined,
    parameters,
    version,
    file,
    description,
    parentFlowRunId: run.parentFlowRunId,
    parentTaskRunId: run.parentTaskRunId,
    idempotencyKey,
    deployment,
    scheduledTime: scheduledTime === undefined ? undefined : iso(scheduledTime),
    continues: run.continues,
    owner: owner || undefined,
    ownerGone,
  }
}

export function taskRunJson({ run, ownerGone }: StoredRun<TaskRun>) {
  const { taskName, taskKey, taskVersion, inputHash, flowRunId, childFlowRunId } = run
  return { ...baseJson(run), taskName, taskKey, taskVersion, inputHash, flowRunId, childFlowRunId, ownerGone }
}

function baseJson({ id, name, state, created, startTime, endTime, totalRunTimeMs, runCount, tags }: Readonly<RunBase>) {
  return {
    id,
    name,
    state: { type: state.type, name: state.name, message: state.message },
    created: iso(created),
    startTime: startTime === undefined ? undefined : iso(startTime),
    endTime: endTime === undefined ? undefined : iso(endTime),
    durationMs: startTime === undefined || endTime === undefined ? undefined : endTime - startTime,
    totalRunTimeMs,
    runCount,
    tags,
  }
}

/** A state with all that it holds: its error as data, its result if JSON has it, else a short text about it. */
export function stateJson(state: State) {
  const { type, name, timestamp, message } = state
  return {
    type,
    name,
    timestamp: iso(timestamp),
    message,
    ...('attempt' in state && { attempt: state.attempt }),
    ...('scheduledTime' in state && { scheduledTime: iso(state.scheduledTime) }),
    ...('upstreamId' in state && { upstreamId: state.upstreamId }),
    ...('error' in state && { error: errorJson(state.error) }),
    ...(state.type === 'COMPLETED' && { cachedFrom: state.cachedFrom, ...resultJson(state.result) }),
  }
}

function resultJson(result: unknown) {
  if (typeof result === 'object' && result !== null && 'notPersisted' in result) return result
  return isJson(result) ? { result } : { resultPreview: preview(result, 400) }
}

/** A run that has entered a state, as `flow-run watch --json` tells it. */
export function stateChangeJson({ run, to }: { readonly run: Readonly<FlowRun | TaskRun>; readonly to: State }) {
  const { type, name, message, timestamp } = to
  const of =
    run.kind === 'flow-run'
      ? { flowRunId: run.id, flowRunName: run.name, flowName: run.flowName }
      : { flowRunId: run.flowRunId, taskRunId: run.id, taskRunName: run.name, taskName: run.taskName }
  return { timestamp: iso(timestamp), ...of, state: { type, name, message } }
}

/** A line of a log, as `flow-run logs --json` tells it. */
export function logJson(line: LogEntry & { readonly flowRunName: string; readonly taskRunName?: string | undefined }) {
  const { timestamp, level, message, fields, flowRunId, flowRunName, taskRunId, taskRunName } = line
  const shown = fields && (isJson(fields) ? fields : Object.fromEntries(Object.entries(fields).map(shownField)))
  return { timestamp: iso(timestamp), level, message, fields: shown, flowRunId, flowRunName, taskRunId, taskRunName }
}

function shownField([name, value]: [name: string, value: unknown]): [string, unknown] {
  return [name, value instanceof Error ? errorJson(value) : isJson(value) ? value : preview(value, 400)]
}

export function inputJson({ name, runs, preview }: RunInput) {
  return { name, runs, preview }
}

/** An error as data, with its causes and the errors that it gathers. */
export function errorJson(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error) || depth > 8) return isJson(error) ? error : preview(error, 400)
  const { name, message, stack, cause } = error
  return {
    name,
    message,
    ...('code' in error && isJson(error.code) && { code: error.code }),
    stack,
    ...(cause !== undefined && { cause: errorJson(cause, depth + 1) }),
    ...(error instanceof AggregateError && { errors: error.errors.map(each => errorJson(each, depth + 1)) }),
  }
}

/** Whether JSON has all of a value: what is written is what would be read. */
export function isJson(value: unknown, above: readonly object[] = []): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || above.includes(value) || 'toJSON' in value) return false
  const prototype = Object.getPrototypeOf(value)
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null
  return isPlain && Object.values(value).every(each => isJson(each, [...above, value]))
}

/** The texts of times that have been asked for: those of task runs are close together. */
const isoTexts = new Map<number, string>()

function iso(at: number): string {
  const ms = Math.trunc(at)
  let text = isoTexts.get(ms)
  if (text === undefined) {
    text = new Date(ms).toISOString()
    if (isoTexts.size > 10_000) isoTexts.clear()
    isoTexts.set(ms, text)
  }
  return text
}
