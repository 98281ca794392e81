import type { LogEntry } from '../../core/logger.js'
import type { FlowRun } from '../../core/run.js'
import { isTerminal, type State, states } from '../../core/state.js'
import { rangeOf } from './batch-reader.js'
import { flowRunOf, parametersOf } from './flow-run-line.js'
import { type Line, parseLine, quoted } from './line.js'
import { beginsWith, callOf, flowRunIdOf, idOf, keyOf, keys, latin1, textOf } from './line-bytes.js'
import type { ValueCodec } from './line-values.js'
import { logEntryOf } from './log-line.js'
import type { RawLine } from './scan.js'
import { stateOf } from './state-fields.js'
import { noteOf } from './state-line.js'
import { follow, type ReadRun, TaskRunReading } from './task-run-reading.js'

// What the lines of a flow run tell, wherever they stand: in a journal among those of others, or alone in the history.

/** Gives lines in their order, until `onLine` gives `false`. */
export type Scan = (onLine: (line: RawLine) => boolean | undefined) => Promise<unknown>

/** A flow run as far as it has been read. */
export interface ReadFlowRun {
  readonly run: FlowRun
  readonly states: State[]
  /** What it was called with, if that is known. */
  readonly parameters?: unknown
}

/** A flow run as it stands after its lines. The first of them has made it, unless that was lost: then `lost` stands for it. */
export function flowRunIn(lines: readonly Line[], codec: ValueCodec, lost?: FlowRun): ReadFlowRun | undefined {
  const [first, ...others] = lines
  const isWhole = first?.fields.run !== undefined
  const run = isWhole ? flowRunOf(first, codec) : lost && fresh(lost)
  if (!run) return undefined
  const entered: State[] = isWhole ? [run.state] : []
  let parameters = isWhole ? parametersOf(first, codec) : undefined
  for (const line of isWhole ? others : lines) {
    noteOf(run, line)
    parameters ??= parametersOf(line, codec)
    const state = stateOf(line, codec)
    if (follow(run, state)) entered.push(state)
  }
  return { run, states: entered.length > 0 ? entered : [run.state], ...(parameters !== undefined && { parameters }) }
}

/** A flow run before anything had happened to it. */
function fresh(run: FlowRun): FlowRun {
  const { startTime: _, endTime: __, ...others } = run
  return { ...others, state: states.pending(run.created), totalRunTimeMs: 0, runCount: 0 }
}

/** The task runs of a flow run, in call order. Ends early where everything of it is known to have ended. */
export async function taskRunsIn(
  scan: Scan,
  flowRunId: string,
  codec: ValueCodec,
  reading = new TaskRunReading(codec),
): Promise<ReadRun[]> {
  const id = latin1(quoted(flowRunId))
  let ended = false
  await scan(raw => {
    const key = keyOf(raw)
    if (key === keys.taskRun || key === keys.taskState) {
      const task = idOf(raw)
      const isOurs = reading.found.has(task) || flowRunIdOf(raw) === id
      const line = isOurs ? parseLine(textOf(raw)) : undefined
      if (line) reading.line(task, line)
    } else if (key === keys.batch) {
      if (idOf(raw) === id) reading.batch(textOf(raw), id)
    } else if (key === keys.flowState && idOf(raw) === id) {
      const line = parseLine(textOf(raw))
      ended ||= line !== undefined && isTerminal(stateOf(line))
    }
    // Once the flow run has ended and all of them have settled, the rest is about others.
    return !(ended && reading.unsettled === 0)
  })
  return [...reading.found.values()]
}

/** One task run. Ends early where it has ended. */
export async function taskRunIn(scan: Scan, id: string, codec: ValueCodec): Promise<ReadRun | undefined> {
  const raw = latin1(quoted(id))
  const [created, entered] = [`{"t":${raw},`, `{"u":${raw},`]
  const call = callOf(id)
  const flowRunId = call && latin1(quoted(call.flowRunId))
  const batched = flowRunId && `{"b":${flowRunId},`
  const reading = new TaskRunReading(codec)
  let found: ReadRun | undefined
  await scan(line => {
    if (beginsWith(line, created) || beginsWith(line, entered)) {
      const parsed = parseLine(textOf(line))
      if (parsed) reading.line(raw, parsed)
    } else if (call && flowRunId && batched && beginsWith(line, batched)) {
      const [lowest, highest] = rangeOf(
        line.bytes.toString('latin1', line.start, Math.min(line.end, line.start + 1024)),
      )
      if (lowest <= call.number && call.number <= highest) reading.batch(textOf(line), flowRunId, call.number)
    } else return undefined
    found = reading.found.get(raw)
    return !(found && isTerminal(found.run.state))
  })
  return found
}

/** The log of a flow run, in the order in which it was written. */
export async function logsIn(scan: Scan, flowRunId: string, codec: ValueCodec): Promise<LogEntry[]> {
  const ours = latin1(`{"l":${quoted(flowRunId)},`)
  const entries: LogEntry[] = []
  await scan(raw => {
    const line = beginsWith(raw, ours) ? parseLine(textOf(raw)) : undefined
    if (line) entries.push(logEntryOf(line, flowRunId, codec))
    return undefined
  })
  return entries
}
