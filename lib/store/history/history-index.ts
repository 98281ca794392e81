import type { FlowRun } from '../../core/run.js'
import { isTerminal, type State } from '../../core/state.js'
import type { Filterable } from '../../core/store.js'
import { flowRunOf } from '../lines/flow-run-line.js'
import { type Line, parseLine, quoted } from '../lines/line.js'
import { headText, idOf, keyOf, keys, textOf, unquoted } from '../lines/line-bytes.js'
import type { RawLine } from '../lines/scan.js'
import { seal } from '../lines/seal.js'
import { stateOf } from '../lines/state-fields.js'
import { type Damage, scanWholeLines, type WholeLine } from '../lines/whole-lines.js'

// A flow run stands in the history as a section: a head, then all its lines as they were in its journal. The index has
// a line per section, made from the section and nothing else; so it can be made again at any time, byte for byte.

/** How much is read at once by who must not hold up the loop. */
const pieceBytes = 128 * 1024

/** The head of a section. */
export interface SectionHead {
  /** Id of the flow run. */
  readonly r: string
  /** The `q` of its first line. */
  readonly q: number
  readonly owner: string
  readonly journal: string
  /** When the flow run was created. */
  readonly created: number
  /** These lines came after the flow run had been folded; what came before stands in an earlier section. */
  readonly late?: boolean
}

/** A line of the index. */
export interface IndexEntry {
  /** Id of the flow run. */
  readonly i: string
  readonly q: number
  readonly owner: string
  readonly journal: string
  readonly created: number
  /** Lines that came late. Only what tells where they are counts here. */
  readonly late?: boolean
  /** Where its section begins in the file of the history, and how long it is. */
  readonly at: number
  readonly bytes: number
  /** Its `f` and `s` lines: offset after `at`, length, offset, length, … */
  readonly fs: readonly number[]
  /** No flow run of any line before was created later. */
  readonly mc: number
  readonly type: State['type']
  readonly is: State['name']
  /** When it entered that state. */
  readonly since: number
  readonly name: string
  readonly flow: string
  readonly parent?: string
  readonly deployment?: string
}

export function headOf(head: SectionHead): string {
  const late = head.late ? ',"late":true' : ''
  return seal(
    `{"r":${quoted(head.r)},"q":${head.q},"owner":${quoted(head.owner)},"journal":${quoted(head.journal)},"created":${head.created}${late}}\n`,
  )
}

/** What is known of one section while its lines are read. */
interface Section {
  readonly head: SectionHead
  readonly at: number
  readonly fs: number[]
  run: FlowRun | undefined
  state: State | undefined
}

export interface IndexOptions {
  readonly from: number
  readonly until: number
  /** The greatest `created` before. */
  readonly mc: number
  readonly pause?: (() => Promise<void> | undefined) | undefined
  readonly onDamage?: ((damage: Damage) => void) | undefined
}

/**
 * Makes the lines of the index for a part of a file of the history. `onSection` is told of each, and leaves it out by
 * `false`. `end`: where the last whole line ends.
 */
export async function indexLinesOf(
  path: string,
  { from, until, mc, pause, onDamage }: IndexOptions,
  write: (line: Buffer) => void,
  onSection: (entry: IndexEntry, run: FlowRun | undefined) => boolean | undefined = () => true,
): Promise<{ runs: number; mc: number; end: number }> {
  let runs = 0
  let section: Section | undefined
  const finish = (end: number) => {
    if (!section) return
    const entry = entryOf(section, end, mc)
    if (onSection(entry, section.run) !== false) {
      write(Buffer.from(indexLine(entry)))
      if (!entry.late) runs += 1
      mc = Math.max(mc, entry.created)
    }
    section = undefined
  }
  const visit = (line: WholeLine) => {
    const key = keyOf(line)
    if (key === keys.section) {
      finish(line.offset)
      section = { head: sectionHead(textOf(line)), at: line.offset, fs: [], run: undefined, state: undefined }
    } else if (key === keys.flowRun || key === keys.flowState) {
      const parsed = parseLine(headText(line))
      if (!parsed) return undefined
      const id = unquoted(idOf(line))
      if (section?.head.r !== id) {
        finish(line.offset)
        section = newSection(id, parsed, line)
      }
      addLine(section, parsed, line)
    }
    return undefined
  }
  const end = await scanWholeLines(path, from, visit, { until, pause, onDamage, ...(pause && { pieceBytes }) })
  finish(end)
  return { runs, mc, end }
}

/** One whose head is damaged. */
function newSection(id: string, { fields }: Line, { offset }: RawLine): Section {
  const head = { r: id, q: fields.q, owner: '', journal: '', created: fields.at }
  return { head, at: offset, fs: [], run: undefined, state: undefined }
}

function addLine(section: Section, line: Line, { offset, length }: WholeLine): void {
  section.fs.push(offset - section.at, length)
  if (line.fields.run !== undefined) section.run ??= flowRunOf(line)
  // What follows a terminal state does not count.
  if (!section.state || !isTerminal(section.state)) section.state = stateOf(line)
}

function entryOf({ head, at, fs, run, state }: Section, end: number, mc: number): IndexEntry {
  const { r, q, owner, journal, created, late } = head
  return {
    i: r,
    q,
    owner,
    journal,
    created: run?.created ?? created,
    ...(late && { late }),
    at,
    bytes: end - at,
    fs,
    mc,
    type: state?.type ?? 'PENDING',
    is: state?.name ?? 'Pending',
    since: state?.timestamp ?? created,
    name: run?.name ?? r,
    flow: run?.flowName ?? '(damaged)',
    ...(run?.parentFlowRunId !== undefined && { parent: run.parentFlowRunId }),
    ...(run?.deployment !== undefined && { deployment: run.deployment }),
  }
}

/** The order of the fields is that of the line; the id comes first, so that it can be searched for. */
function indexLine(entry: IndexEntry): string {
  return seal(`${JSON.stringify(entry)}\n`)
}

export function sectionHead(text: string): SectionHead {
  return JSON.parse(text) as SectionHead
}

/** The entry that a line of the index holds. */
export function indexEntry(line: RawLine): IndexEntry {
  return JSON.parse(textOf(line)) as IndexEntry
}

/** Of an entry, what a filter asks about. */
export function filterable({ i, name, flow, parent, deployment, type, is }: IndexEntry): Filterable {
  return { id: i, name, flowName: flow, parentFlowRunId: parent, deployment, state: { type, name: is } }
}
