import type { DivergenceReport } from '../../core/divergence.js'
import type { ExecutorStats } from '../../core/executor-stats.js'
import type { LogLevel } from '../../core/logger.js'
import type { FlowRun, RunInput, TaskRun } from '../../core/run.js'
import type { StateName } from '../../core/state.js'
import type { ProcessId } from '../process-id.js'

// A line of a journal: what it begins with, and how it is taken apart. docs/STORE-FORMAT.md describes the lines; each kind
// has a file that writes and reads it.
// Lines are put together by hand, because JSON.stringify would take most of the time that a transition may cost.
// Two things hold for every line, and the reader relies on them: the first key says what it is, its value is the id;
// and a value that the codec wrote comes last, so that it can be cut off unparsed.

/** Version of what is written. A store of a newer one is refused, one of an older one would be read. */
export const format = 3

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

/** The line that says whose a segment is. */
export function headerLine(header: Header): string {
  return `{"h":${JSON.stringify(header)}}\n`
}

/** `open`: how many flow runs nobody will carry on that have not ended: who opens the store next ends them. */
export function closedLine(seq: number, at: number, open = 0): string {
  return `{"c":${at},"q":${seq}${open > 0 ? `,"o":${open}` : ''}}\n`
}

/** The fields of a line but for the value that comes last, and that value's text. */
export interface Line {
  readonly fields: Fields
  readonly value: string | undefined
}

/** Any field that a line can have. */
export interface Fields {
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

const lastFields = [',"r":', ',"e":', ',"d":', ',"p":']

/** Where the value begins that ends a line, or -1. A quote inside a string is escaped, so this finds nothing else. */
function valueStart(text: string): number {
  let first = -1
  for (const field of lastFields) {
    const at = text.indexOf(field)
    if (at >= 0 && (first < 0 || at < first)) first = at
  }
  return first
}

const plain = /^[\w.-]+$/

/** A JSON string. Ids and names are plain words nearly always, and those need no escapes. */
export function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text)
}
