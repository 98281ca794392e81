import type { DivergenceReport } from '../core/divergence.js'
import { asError } from '../core/errors.js'
import type { ExecutorStats } from '../core/executor-stats.js'
import type { LogEntry, LogLevel } from '../core/logger.js'
import { copyOf, type FlowRun, type Run, type RunInput, type TaskRun } from '../core/run.js'
import { isSettled, messageOf, type State, type StateName, states } from '../core/state.js'
import { type CacheEntry, type Codec, type NotPersisted, notPersisted, tooLarge } from '../core/store.js'
import type { ProcessId } from './process-id.js'

// The lines of a journal: how they are written and how they are read. docs/STORE-FORMAT.md describes them.
// Lines are put together by hand, because JSON.stringify would take most of the time that a transition may cost.
// Two things hold for every line, and the reader relies on them: the first key says what it is, its value is the id;
// and a value that the codec wrote comes last, so that it can be cut off unparsed.

/** Version of what is written. A store of a newer one is refused, one of an older one would be read. */
export const format = 3

/** The largest error that a state line holds, in characters of JSON; and the largest result where there are no files. */
const maxValue = 1024 * 1024

/** The largest result that a line holds where larger ones have files, in characters of JSON. */
export const maxInLine = 64 * 1024

/** The longest message and the longest stack of an error that is too large as a whole. */
const maxText = 64 * 1024

/** Why a result was not kept that nobody wanted to keep. */
export const notWanted = 'not wanted'

/** The first line of each segment of a journal, twice, so that a damaged byte never hides whose it is. */
export interface Header {
  readonly format: number
  readonly owner: string
  readonly process: ProcessId
  /** When the session began that the journal is of. */
  readonly created: number
  /** The name of the journal, and which of its segments this is: since format 3. */
  readonly journal?: string
  readonly segment?: number
}

/** What a line is, by its first key. */
export type LineKind =
  | 'h' // header
  | 'f' // a new flow run
  | 's' // a state of a flow run
  | 't' // a new task run
  | 'u' // a state of a task run
  | 'b' // task runs of a flow run, by the batch: see batch.ts
  | 'l' // a log line
  | 'c' // closed: nothing follows

export function headerLine(header: Header): string {
  return `{"h":${JSON.stringify(header)}}\n`
}

/** Values as JSON text, of which large ones may be kept elsewhere. */
export interface ValueCodec extends Codec {
  /** Files for what is too large for a line. */
  readonly files?: ValueFiles | undefined
}

/** Keeps texts that are too large for a line. */
export interface ValueFiles {
  /** The longest text that is kept. */
  readonly limit: number
  /** Keeps a text for a flow run. Gives its name. */
  write(flowRunId: string, text: string): string
  /** The text of that name, or why there is none. */
  read(flowRunId: string, name: string): ReadText
}

/** A text, or why it cannot be read. */
export type ReadText =
  | { readonly text: string; readonly why?: undefined }
  | { readonly text?: undefined; readonly why: string }

/** `parameters`: what the flow was called with, whole. */
export function flowRunLine(run: FlowRun, seq: number, codec: ValueCodec, parameters?: unknown): string {
  const { state, ...record } = copyOf(run)
  const start = `{"f":${quoted(run.id)},"q":${seq},"run":${JSON.stringify(record)}`
  const fields = stateFields(state, codec, true, run.id)
  const given = parameters === undefined ? undefined : valueText(parameters, codec, run.id)
  if (!given) return `${start},${fields}}\n`
  // There is one value at the end of a line. A first state that has one is rare.
  const isLast = given.text !== undefined && !('error' in state || 'result' in state)
  return isLast ? `${start},${fields},"p":${given.text}}\n` : `${start}${parametersField(given)},${fields}}\n`
}

/** Parameters before the fields of a state. */
function parametersField({ text, file, why }: KeptValue): string {
  if (text !== undefined) return `,"ps":${JSON.stringify(text)}`
  return file === undefined ? `,"px":${JSON.stringify(why)}` : `,"pf":"${file}"`
}

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

/** `parameters`: what a flow run was called with, if its first line does not say so. */
export function stateLine(
  run: Run,
  seq: number,
  state: State,
  codec: ValueCodec,
  persist: boolean,
  parameters?: unknown,
): string {
  if (run.kind === 'flow-run') {
    const given = parameters === undefined ? '' : parametersField(valueText(parameters, codec, run.id))
    return `{"s":${quoted(run.id)},"q":${seq}${given}${resumeFields(run, state)}${statsField(run, state)},${stateFields(state, codec, persist, run.id)}}\n`
  }
  // The mirror of a subflow run learns late which flow run it mirrors.
  const child = run.childFlowRunId === undefined ? '' : `,"child":${quoted(run.childFlowRunId)}`
  const hash = isSettled(state) || child !== '' ? hashField(run) : ''
  return `{"u":${quoted(run.id)},"q":${seq}${child}${hash},${stateFields(state, codec, persist, run.flowRunId)}}\n`
}

/** What a task run was called with is often known when it has completed, and not before. */
function hashField({ inputHash }: TaskRun): string {
  return inputHash === undefined ? '' : `,"ih":${quoted(inputHash)}`
}

/** Which run a subflow run continues is known when its parameters are; how its calls differ, when the last is made. */
function resumeFields({ continues, parentFlowRunId, divergence }: FlowRun, { type }: State): string {
  const which = continues === undefined || parentFlowRunId === undefined ? '' : `,"cont":${quoted(continues)}`
  return divergence === undefined || type === 'RUNNING' ? which : `${which},"div":${JSON.stringify(divergence)}`
}

/** Goes with the state that follows the executor's session. */
function statsField({ executorStats }: FlowRun, { type }: State): string {
  return executorStats === undefined || type === 'RUNNING' ? '' : `,"stats":${JSON.stringify(executorStats)}`
}

export function logLine(entry: LogEntry, seq: number, codec: ValueCodec): string {
  const task = entry.taskRunId === undefined ? '' : `,"t":${quoted(entry.taskRunId)}`
  const fields = entry.fields === undefined ? '' : valueField('d', entry.fields, codec)
  return (
    `{"l":${quoted(entry.flowRunId)},"q":${seq}${task},"v":"${entry.level}","at":${entry.timestamp}` +
    `,"m":${JSON.stringify(entry.message)}${fields}}\n`
  )
}

/** `open`: how many flow runs nobody will carry on that have not ended: who opens the store next ends them. */
export function closedLine(seq: number, at: number, open = 0): string {
  return `{"c":${at},"q":${seq}${open > 0 ? `,"o":${open}` : ''}}\n`
}

/** A cache entry, which has a file for itself; the reason if its result cannot be kept. */
export function cacheLine(
  key: string,
  { state, expires, runId }: CacheEntry,
  codec: ValueCodec,
): string | NotPersisted {
  const result = codec.files
    ? resultField(state.result, codec, '')
    : valueField('r', state.result, codec, Number.POSITIVE_INFINITY)
  if (result.startsWith(',"x":')) return { notPersisted: JSON.parse(result.slice(5)) as string }
  const until = expires === undefined ? '' : `,"until":${expires}`
  const from = state.cachedFrom === undefined ? '' : `,"from":${quoted(state.cachedFrom)}`
  const start = `"is":"${state.name}","at":${state.timestamp}${messageField(state.message)}${from}`
  return `{"k":${quoted(key)},"run":${quoted(runId)}${until},${start}${result}}\n`
}

const plain = /^[\w.-]+$/

/** A JSON string. Ids and names are plain words nearly always, and those need no escapes. */
export function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text)
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

function stateFields(state: State, codec: ValueCodec, persist: boolean, flowRunId: string): string {
  const start = `"is":"${state.name}","at":${state.timestamp}`
  switch (state.name) {
    case 'Pending':
      return start
    case 'Running':
    case 'Retrying':
      return `${start},"n":${state.attempt}`
    case 'Completed':
    case 'Cached': {
      const from = state.cachedFrom === undefined ? '' : `,"from":${quoted(state.cachedFrom)}`
      return `${start}${messageField(state.message)}${from}${persist ? resultField(state.result, codec, flowRunId) : `,"x":"${notWanted}"`}`
    }
    case 'Cancelling':
      return `${start},"n":${state.attempt}${messageField(state.message)}`
    case 'Scheduled':
    case 'Late':
      return `${start},"for":${state.scheduledTime}${messageField(state.message)}`
    case 'AwaitingRetry':
      return `${start},"for":${state.scheduledTime},"n":${state.attempt}${errorField(state.error, codec)}`
    case 'NotReady':
      return `${start},"up":${quoted(state.upstreamId)}${messageField(state.message)}${errorField(state.error, codec)}`
    default: {
      const message = state.message === messageOf(state.error) ? undefined : state.message
      return `${start}${messageField(message)}${errorField(state.error, codec)}`
    }
  }
}

function messageField(message: string | undefined): string {
  return message === undefined ? '' : `,"m":${JSON.stringify(message)}`
}

/** A value as the last field of its line, or the reason why it is not there. `undefined` is no field at all. */
function valueField(key: 'r' | 'd', value: unknown, codec: ValueCodec, limit = maxValue): string {
  if (value === undefined) return ''
  const { text, why } = textOrWhyNot(value, codec, limit)
  return text === undefined ? `,"x":${JSON.stringify(why)}` : `,"${key}":${text}`
}

function resultField(result: unknown, codec: ValueCodec, flowRunId: string): string {
  if (result === undefined) return ''
  const { text, file, why } = valueText(result, codec, flowRunId)
  if (text !== undefined) return `,"r":${text}`
  return file === undefined ? `,"x":${JSON.stringify(why)}` : `,"file":"${file}"`
}

/** A value of a flow run as text for a line, as the name of a file that has it, or why it cannot be kept. */
export type KeptValue =
  | { readonly text: string; readonly file?: undefined; readonly why?: undefined }
  | { readonly text?: undefined; readonly file: string; readonly why?: undefined }
  | { readonly text?: undefined; readonly file?: undefined; readonly why: string }

export function valueText(value: unknown, codec: ValueCodec, flowRunId: string): KeptValue {
  const { files } = codec
  if (!files) return textOrWhyNot(value, codec)
  const kept = textOrWhyNot(value, codec, files.limit)
  if (kept.text === undefined || kept.text.length <= maxInLine) return kept
  try {
    return { file: files.write(flowRunId, kept.text) }
  } catch (error) {
    return { why: `its file could not be written: ${messageOf(error)}` }
  }
}

/** The text of a value in one line, or why it cannot be kept. */
export function textOrWhyNot(
  value: unknown,
  codec: ValueCodec,
  limit = maxValue,
): { readonly text: string; readonly why?: undefined } | { readonly text?: undefined; readonly why: string } {
  try {
    const text = encode(value, codec, limit)
    return text.length <= limit ? { text } : { why: tooLarge(text.length, limit) }
  } catch (error) {
    return { why: messageOf(error) ?? 'refused by the codec' }
  }
}

/** An error must not be lost because something hangs on it that cannot be kept: then its own text is kept. */
function errorField(error: unknown, codec: ValueCodec): string {
  if (error === undefined) return ''
  try {
    const text = encode(error, codec, maxValue)
    if (text.length <= maxValue) return `,"e":${text}`
  } catch {}
  const { name, message, stack } = asError(error)
  const bare = new Error(message.slice(0, maxText))
  Object.assign(bare, { name, stack: stack?.slice(0, maxText) })
  return `,"e":${encode(bare, codec, Number.POSITIVE_INFINITY)}`
}

function encode(value: unknown, codec: ValueCodec, limit: number): string {
  // Seen before a text is made of it, which may be far larger than memory would like.
  if (typeof value === 'string' && value.length > limit) throw new RangeError(tooLarge(value.length, limit))
  // What JSON itself says of these is what every codec says of them.
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0)) return `${value}`
  const text = codec.encode(value, limit)
  return text.includes('\n') || text.includes('\r') ? JSON.stringify(JSON.parse(text)) : text
}

// Reading

/** The fields of a line but for the value that comes last, and that value's text. */
export interface Line {
  readonly fields: Fields
  readonly value: string | undefined
}

/** Any field that a line can have. */
interface Fields {
  readonly h?: Header
  readonly f?: string
  readonly s?: string
  readonly t?: string
  readonly u?: string
  readonly b?: string
  readonly l?: string
  readonly q: number
  readonly run?: Omit<FlowRun, 'state'> | string
  readonly until?: number
  /** How many flow runs were open when the journal was closed. */
  readonly o?: number
  readonly name: string
  readonly task: string
  readonly key: string
  readonly dk: number
  readonly created: number
  readonly tags?: readonly string[]
  readonly inputs?: readonly RunInput[]
  readonly child?: string
  readonly stats?: ExecutorStats
  readonly ih?: string
  readonly tv?: string
  readonly cont?: string
  readonly div?: DivergenceReport
  readonly file?: string
  /** Parameters: as text in a string, in a file, or why there are none. */
  readonly ps?: string
  readonly pf?: string
  readonly px?: string
  readonly past?: Pick<TaskRun, 'startTime' | 'endTime' | 'totalRunTimeMs' | 'runCount'>
  readonly is: StateName
  readonly at: number
  readonly n: number
  readonly for: number
  readonly up: string
  readonly from?: string
  readonly m?: string
  readonly x?: string
  readonly v: LogLevel
}

const lastFields = [',"r":', ',"e":', ',"d":', ',"p":']

/** Takes a line apart. `undefined`: it is damaged. */
export function parseLine(text: string): Line | undefined {
  const cut = valueStart(text)
  try {
    const fields = JSON.parse(cut < 0 ? text : `${text.slice(0, cut)}}`) as Fields
    if (typeof fields !== 'object' || fields === null) return undefined
    return { fields, value: cut < 0 ? undefined : text.slice(cut + 5, -1) }
  } catch {
    return undefined
  }
}

/** Where the value begins that ends a line, or -1. A quote inside a string is escaped, so this finds nothing else. */
function valueStart(text: string): number {
  let first = -1
  for (const field of lastFields) {
    const at = text.indexOf(field)
    if (at >= 0 && (first < 0 || at < first)) first = at
  }
  return first
}

/** The flow run that an `f` line tells of, in its first state. */
export function flowRunOf({ fields, value }: Line, codec?: ValueCodec): FlowRun {
  return { ...(fields.run as Omit<FlowRun, 'state'>), state: stateOf({ fields, value }, codec) }
}

/** What the flow run that an `f` line, or a later one of its, tells of was called with. */
export function parametersOf({ fields, value }: Line, codec: ValueCodec): unknown {
  const { f, s = '', is, ps, pf, px } = fields
  if (px !== undefined) return notPersisted(px)
  if (pf !== undefined) return fileValue(f ?? s, pf, codec)
  if (ps !== undefined) return decode(ps, codec)
  const isLast = f !== undefined && (is === 'Pending' || is === 'Scheduled' || is === 'Late')
  return isLast ? decode(value, codec) : undefined
}

/** What the line of a later state tells of the flow run besides: how its executor did, and what it continues. */
export function noteOf(run: FlowRun, { fields }: Line): void {
  const { stats, cont, div } = fields
  if (stats !== undefined) run.executorStats = stats
  if (cont !== undefined) run.continues = cont
  if (div !== undefined) run.divergence = div
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

/**
 * The state that a line tells of. Without a codec its value is left out. `flowRunId` is needed where the line does not
 * begin with it, and its value may have a file.
 */
export function stateOf({ fields, value }: Line, codec?: ValueCodec, flowRunId = fields.f ?? fields.s ?? ''): State {
  const { file } = fields
  if (file !== undefined && codec) return withResultIn(flowRunId, file, codec, bareStateOf({ fields, value }))
  return bareStateOf({ fields, value }, codec)
}

function bareStateOf({ fields, value }: Line, codec?: ValueCodec): State {
  const { at } = fields
  switch (fields.is) {
    case 'Scheduled':
      return states.scheduled(at, fields.for, fields.m)
    case 'Late':
      return states.late(at, fields.for)
    case 'AwaitingRetry':
      return states.awaitingRetry(at, fields.for, fields.n, decode(value, codec))
    case 'Pending':
      return states.pending(at)
    case 'NotReady':
      return states.notReady(at, fields.up, decode(value, codec), fields.m)
    case 'Running':
    case 'Retrying':
      return states.running(at, fields.n)
    case 'Cancelling':
      return states.cancelling(at, fields.n, fields.m)
    case 'Completed':
      return states.completed(at, resultOf(fields, value, codec), fields.m)
    case 'Cached':
      return states.cached(at, resultOf(fields, value, codec), fields.from)
    case 'TimedOut':
      return states.timedOut(at, decode(value, codec))
    case 'Crashed':
      return states.crashed(at, decode(value, codec))
    case 'Cancelled':
      return states.cancelled(at, decode(value, codec), fields.m)
    case 'Failed':
      return states.failed(at, decode(value, codec), fields.m)
  }
}

/** The entry that a file of the cache holds. `undefined`: it is damaged, or cannot be read any more. */
export function cacheEntryOf(text: string, codec: ValueCodec): CacheEntry | undefined {
  const line = parseLine(text.trimEnd())
  if (typeof line?.fields.run !== 'string') return undefined
  const { run: runId, until: expires, file, at } = line.fields
  try {
    const text = file === undefined ? line.value : codec.files?.read('', file).text
    if (file !== undefined && text === undefined) return undefined
    const result = text === undefined ? undefined : codec.decode(text)
    const state = states.completed(at, result, line.fields.m)
    return {
      state: line.fields.is === 'Cached' ? states.cached(at, result, line.fields.from) : state,
      runId,
      ...(expires !== undefined && { expires }),
    }
  } catch {
    return undefined
  }
}

/** The name of the file that has the result of such an entry, if one has. */
export function fileOfEntry(text: string): string | undefined {
  return parseLine(text.trimEnd())?.fields.file
}

/** The log line that an `l` line tells of. */
export function logEntryOf({ fields, value }: Line, flowRunId: string, codec: ValueCodec): LogEntry {
  const given = value === undefined ? undefined : (decode(value, codec) as Record<string, unknown>)
  return {
    flowRunId,
    ...(fields.t !== undefined && { taskRunId: fields.t }),
    level: fields.v,
    message: fields.m!,
    ...(given && { fields: given }),
    timestamp: fields.at,
  }
}

/** A state whose result is read from its file when somebody asks for it: there may be thousands, and each is large. */
export function withResultIn<S extends State>(flowRunId: string, file: string, codec: ValueCodec, state: S): S {
  let read: { readonly result: unknown } | undefined
  const get = () => (read ??= { result: fileValue(flowRunId, file, codec) }).result
  return Object.defineProperty(state, 'result', { get, enumerable: true, configurable: true })
}

function fileValue(flowRunId: string, file: string, codec: ValueCodec): unknown {
  const { text, why = 'its file cannot be read here' } = codec.files?.read(flowRunId, file) ?? {}
  return text === undefined ? notPersisted(why) : decode(text, codec)
}

function resultOf(fields: Fields, value: string | undefined, codec: ValueCodec | undefined): unknown {
  return fields.x === undefined ? decode(value, codec) : notPersisted(fields.x)
}

/** A value that the codec of today cannot read costs that value, not the list that it is in. */
export function decode(value: string | undefined, codec: ValueCodec | undefined): unknown {
  if (value === undefined || codec === undefined) return undefined
  try {
    return codec.decode(value)
  } catch (error) {
    return notPersisted(`cannot be read: ${messageOf(error)}`)
  }
}
