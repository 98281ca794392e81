import { isTerminal } from '../../core/state.js'
import { type JournalLine, JournalLines, type JournalPart } from '../journal/journal-lines.js'
import type { FlowEntry, JournalReader } from '../journal/journal-reader.js'
import { headerLine, quoted } from '../lines/line.js'
import { flowRunIdOf, idOf, keyOf, keys, latin1, OpenFiles, textOf, unquoted } from '../lines/line-bytes.js'
import { seal, unseal } from '../lines/seal.js'
import { headOf } from './history-index.js'
import type { FileWriter } from './history-writer.js'

type Pause = () => Promise<void> | undefined

/** Where the lines of one flow run are: pieces of files, each of them whole lines. */
class Extents {
  /** File, offset, length, file, offset, length, … */
  readonly places: number[] = []
  bytes = 0

  /** Lines that stand side by side are one piece, if they can be copied as they are. */
  add({ part, offset, length }: Pick<JournalLine, 'part' | 'offset' | 'length'>, mayJoin: boolean): void {
    const { places } = this
    this.bytes += length + 1
    const last = places.length - 3
    if (mayJoin && last >= 0 && places[last] === part && places[last + 1]! + places[last + 2]! + 1 === offset)
      places[last + 2]! += length + 1
    else places.push(part, offset, length)
  }
}

/** The lines of a journal, by flow run; what ended its runs for a writer that died comes after all others. */
export interface SortedLines {
  readonly parts: readonly JournalPart[]
  /** By raw id, in the order in which they begin. */
  readonly byFlowRun: ReadonlyMap<string, Extents>
  readonly files: OpenFiles
}

/** Finds out which line is whose. Reads all of a journal, and keeps where the lines are. */
export async function sortLines(
  reader: JournalReader,
  endedPath: string | undefined,
  pause: Pause,
): Promise<SortedLines> {
  const { parts } = reader.lines
  const ended = endedPath === undefined ? [] : [{ path: endedPath, sealed: parts.every(({ sealed }) => sealed) }]
  const all = [...parts, ...ended]
  const byFlowRun = new Map<string, Extents>()
  /** The flow runs of tasks whose id does not tell it. */
  const byTask = new Map<string, string>()
  let last = ''
  let lastExtents: Extents | undefined
  const sort = (line: JournalLine): undefined => {
    const key = keyOf(line)
    if (key === undefined || key === keys.header || key === keys.closed) return undefined
    let id = flowRunIdOf(line)
    if (key === keys.taskRun) {
      const task = idOf(line)
      if (!task.startsWith(`${id.slice(0, -1)}-`)) byTask.set(task, id)
    } else if (key === keys.taskState && byTask.size > 0) id = byTask.get(idOf(line)) ?? id
    if (id === '') return undefined
    if (id !== last || !lastExtents) {
      last = id
      lastExtents = byFlowRun.get(id)
      if (!lastExtents) byFlowRun.set(id, (lastExtents = new Extents()))
    }
    lastExtents.add(line, all[line.part]!.sealed && !line.isSaved)
    return undefined
  }
  const options = { quiet: true, pause, pieceBytes: 256 * 1024 }
  await reader.lines.read({ part: 0, offset: 0 }, sort, options)
  if (ended.length > 0)
    await new JournalLines(ended).read({ part: 0, offset: 0 }, line => sort({ ...line, part: parts.length }), options)
  return { parts: all, byFlowRun, files: new OpenFiles() }
}

/** Writes the lines of one flow run as a section of the history. */
export async function writeSection(
  lines: SortedLines,
  entry: FlowEntry,
  isLate: boolean,
  to: FileWriter,
  pause: Pause,
): Promise<void> {
  const { run, seq, journal } = entry
  const late = isLate ? { late: true } : {}
  const head = { r: run.id, q: seq, owner: journal.owner, journal: journal.name, created: run.created, ...late }
  to.write(Buffer.from(headOf(head)))
  const extents = lines.byFlowRun.get(latin1(quoted(run.id)))
  if (extents) await copy(lines, extents.places, to, pause)
}

/** What is left of a journal when some of its flow runs have gone, with its header. */
export async function writeCarry(
  lines: SortedLines,
  { header }: JournalReader,
  stays: (flowRunId: string) => boolean,
  to: FileWriter,
  pause: Pause,
): Promise<void> {
  const head = header ? seal(headerLine(header)) : ''
  to.write(Buffer.from(head + head))
  const pieces: (readonly [part: number, offset: number, length: number])[] = []
  for (const [id, { places }] of lines.byFlowRun) {
    if (!stays(unquoted(id))) continue
    for (let index = 0; index < places.length; index += 3)
      pieces.push([places[index]!, places[index + 1]!, places[index + 2]!])
  }
  pieces.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  await copy(lines, pieces.flat(), to, pause)
}

const newline = Buffer.from('\n')
const copiedAtOnce = 128 * 1024

async function copy(
  { parts, files }: SortedLines,
  places: readonly number[],
  to: FileWriter,
  pause: Pause,
): Promise<void> {
  for (let index = 0; index < places.length; index += 3) {
    const [part, offset, length] = [parts[places[index]!]!, places[index + 1]!, places[index + 2]!]
    if (part.sealed) await copyBytes(part.path, offset, length, files, to, pause)
    else to.write(sealedLine(files.read(part.path, offset, length), offset))
    const rest = pause()
    if (rest) await rest
  }
}

async function copyBytes(
  path: string,
  offset: number,
  length: number,
  files: OpenFiles,
  to: FileWriter,
  pause: Pause,
): Promise<void> {
  for (let done = 0; done < length; done += copiedAtOnce) {
    const bytes = files.read(path, offset + done, Math.min(copiedAtOnce, length - done))
    if (bytes.length === 0) throw new Error(`${path} has become shorter`)
    to.write(bytes)
    const rest = pause()
    if (rest) await rest
  }
  to.write(newline)
}

/** A line as the formats before 3 wrote it, or what ended it, later: it gets its seal here. */
function sealedLine(bytes: Buffer, offset: number): Buffer {
  const raw = { bytes, start: 0, end: bytes.length, offset }
  return Buffer.from(seal(`${textOf(unseal(raw) ?? raw)}\n`))
}

/**
 * The flow runs that may leave a journal that goes on: those that have ended with all their task runs. What was left of
 * others that are in the history already may leave as well.
 */
export async function mayLeave(reader: JournalReader, pause: Pause): Promise<Set<string>> {
  const runs = await reader.readUnsettled(pause)
  const unsettled = new Set(runs.map(run => (run.kind === 'flow-run' ? run.id : run.flowRunId)))
  const leaving = new Set<string>()
  for (const { run, isStray } of reader.flowRuns.values())
    if ((isStray || isTerminal(run.state)) && !unsettled.has(run.id)) leaving.add(run.id)
  return leaving
}

/** How many bytes the lines of some flow runs take. */
export function bytesOf({ byFlowRun }: SortedLines, ids: ReadonlySet<string>): { those: number; all: number } {
  let [those, all] = [0, 0]
  for (const [id, { bytes }] of byFlowRun) {
    all += bytes
    if (ids.has(unquoted(id))) those += bytes
  }
  return { those, all }
}
