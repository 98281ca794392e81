import { existsSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder, namesIn, syncFolder } from '../files.js'
import { carryName, filesOf, type JournalFiles, journalsOf } from '../journal/journal-files.js'
import { JournalReader } from '../journal/journal-reader.js'
import { headerOf, isClosed } from '../journal/journal-state.js'
import { unquoted } from '../lines/line-bytes.js'
import { addFlow, type Catalogue, catalogued, type FoldedJournal, type Segment } from './catalogue.js'
import { bytesOf, mayLeave, type SortedLines, sortLines, writeCarry, writeSection } from './fold-journal.js'
import { History } from './history.js'
import { indexLinesOf } from './history-index.js'
import { FileWriter } from './history-writer.js'

// Folding moves flow runs from journals into the history. Nothing is taken away before the catalogue says where it is now,
// and the catalogue is replaced in one step: whatever happens on the way, a flow run counts in one of both places.

export interface FoldingSurroundings {
  /** The folder of the store. */
  readonly folder: string
  readonly pause: () => Promise<void> | undefined
  readonly temporary: () => string
  /** A file of the history that is larger than this gets no more. */
  readonly historyBytes: number
  /** Replaces the catalogue. */
  readonly commit: (catalogue: Catalogue) => void
}

/** A journal to fold: all of it, or of one that goes on what may leave its first segments. */
export interface ToFold {
  readonly files: JournalFiles
  /** The last of those segments. */
  readonly upTo?: number | undefined
}

/** Folds some journals, in one step. `lock` must be held. Gives the catalogue that counts now. */
export async function foldJournals(
  catalogue: Catalogue,
  journals: readonly ToFold[],
  surroundings: FoldingSurroundings,
): Promise<Catalogue> {
  const { folder, pause, commit } = surroundings
  const history = new History(folder, catalogue, { onDamage: () => {} })
  const next = nextOf(catalogue, folder)
  const target = segmentToFill(catalogue, surroundings.historyBytes)
  const writer = new FileWriter(join(folder, 'history', `${target.name}.ndjson`), target.bytes)
  try {
    for (const journal of stillThere(folder, journals)) {
      const folded = await foldJournal(journal, next, history, writer, surroundings)
      if (folded) next.folded.push(folded)
    }
    if (!next.folded.some(({ generation }) => generation === next.generation)) return catalogue
    if (writer.position > target.bytes) {
      await writer.sync()
      const { segment, mc } = await writeIndex(folder, target, writer.position, catalogue.mc, pause)
      next.segments = [...catalogue.segments.filter(({ name }) => name !== target.name), segment]
      next.mc = mc
    }
  } finally {
    writer.close()
    if (writer.position === 0) rmSync(writer.path, { force: true })
    history.rest()
  }
  commit(next)
  await removeOld(folder, next)
  return next
}

/** Others may have folded some of them, and begun new ones of the same name. */
function stillThere(folder: string, journals: readonly ToFold[]): ToFold[] {
  const path = join(folder, 'journals')
  const present = journalsOf(namesIn(path))
  return journals.flatMap(({ files: { name }, upTo }) => {
    const files = present.get(name)
    const isReady = files && (upTo !== undefined || files.ended !== undefined || isClosed(path, files))
    return isReady ? [{ files, upTo }] : []
  })
}

/** The catalogue that follows, without mention of what has been removed by now. */
export function nextOf(catalogue: Catalogue, folder: string): Catalogue {
  const journals = journalsOf(namesIn(join(folder, 'journals')))
  const { generation } = catalogue
  return {
    ...catalogue,
    generation: generation + 1,
    flows: Object.assign(Object.create(null), catalogue.flows),
    folded: catalogue.folded.filter(each => {
      const files = journals.get(each.journal)
      // What was folded of one that goes on is known as long as nothing more of it is, and that is removed.
      return files !== undefined && (each.upTo === undefined || files.carries.includes(each.upTo))
    }),
    dropped: catalogue.dropped.filter(({ file }) => existsSync(join(folder, file))),
  }
}

async function foldJournal(
  { files, upTo }: ToFold,
  next: Catalogue,
  history: History,
  writer: FileWriter,
  { folder, pause, temporary }: FoldingSurroundings,
): Promise<FoldedJournal | undefined> {
  const path = join(folder, 'journals')
  const counted =
    upTo === undefined ? files : { ...files, segments: files.segments.filter(each => each.segment <= upTo) }
  const before = await foldedBefore(path, files, next)
  if (before === 'all') return undefined
  const reader = new JournalReader(path, files.name, before)
  await reader.refresh(counted, pause)
  const ended = files.ended && upTo === undefined ? join(path, files.ended) : undefined
  const lines = await sortLines(reader, ended, pause)
  try {
    const leaving = upTo === undefined ? undefined : await mayLeave(reader, pause)
    if (leaving && !isWorthwhile(lines, leaving)) return undefined
    await writeSections(lines, reader, leaving, next, history, writer, pause)
    const created = (await headerOf(path, files))?.created ?? 0
    const damaged = reader.damage.length > 0 && { damaged: true as const }
    const folded = { journal: files.name, created, generation: next.generation, ...damaged }
    if (!leaving || upTo === undefined) return folded
    const stays = (id: string) => !leaving.has(id)
    await makeCarry(lines, reader, stays, join(path, carryName(files.name, upTo)), { pause, temporary })
    return { ...folded, upTo }
  } finally {
    lines.files.close()
  }
}

/** Whether at least half of the bytes can leave: the others have to be copied. */
function isWorthwhile(lines: SortedLines, leaving: ReadonlySet<string>): boolean {
  const { those, all } = bytesOf(lines, leaving)
  return those > 0 && those * 2 >= all
}

async function makeCarry(
  lines: SortedLines,
  reader: JournalReader,
  stays: (flowRunId: string) => boolean,
  path: string,
  { pause, temporary }: Pick<FoldingSurroundings, 'pause' | 'temporary'>,
): Promise<void> {
  const carry = new FileWriter(temporary(), 0)
  try {
    await writeCarry(lines, reader, stays, carry, pause)
    await carry.sync()
  } finally {
    carry.close()
  }
  renameSync(carry.path, path)
  syncFolder(dirname(path))
}

/** Up to which segment a journal has been folded before. */
async function foldedBefore(path: string, files: JournalFiles, { folded }: Catalogue): Promise<number | 'all'> {
  const its = folded.filter(({ journal }) => journal === files.name)
  if (its.length === 0) return 0
  const created = (await headerOf(path, files))?.created ?? 0
  const same = its.filter(each => each.created === created)
  return same.some(({ upTo }) => upTo === undefined) ? 'all' : Math.max(0, ...same.map(({ upTo }) => upTo ?? 0))
}

async function writeSections(
  lines: SortedLines,
  reader: JournalReader,
  leaving: ReadonlySet<string> | undefined,
  next: Catalogue,
  history: History,
  writer: FileWriter,
  pause: () => Promise<void> | undefined,
): Promise<void> {
  for (const raw of lines.byFlowRun.keys()) {
    const id = unquoted(raw)
    if (leaving && !leaving.has(id)) continue
    const entry = reader.flowRuns.get(id) ?? reader.stray(id)
    const isLate = entry.isStray && (await history.find(id)) !== undefined
    await writeSection(lines, entry, isLate, writer, pause)
    if (!entry.isStray) addFlow(next.flows, entry.run.flowName, catalogued(entry.run))
  }
}

/** The file of the history that gets what is folded next. */
export function segmentToFill({ segments, mc }: Catalogue, historyBytes: number): Segment {
  const last = segments.at(-1)
  return last && last.bytes < historyBytes ? last : emptySegment(freshName(segments), mc)
}

export function emptySegment(name: string, mc: number): Segment {
  return { name, bytes: 0, index: name, indexBytes: 0, runs: 0, mc }
}

/** A name that none of the files has. */
export function freshName(segments: readonly Pick<Segment, 'name'>[]): string {
  const highest = segments.reduce((most, { name }) => Math.max(most, Number.parseInt(name, 10)), 0)
  return String(highest + 1).padStart(4, '0')
}

/** Writes the lines of the index for what a file of the history has got, which ends at `bytes` now. */
export async function writeIndex(
  folder: string,
  segment: Segment,
  bytes: number,
  mcBefore: number,
  pause: () => Promise<void> | undefined,
): Promise<{ readonly segment: Segment; readonly mc: number }> {
  const path = join(folder, 'history', `${segment.name}.ndjson`)
  const writer = new FileWriter(join(folder, 'index', `${segment.index}.ndjson`), segment.indexBytes)
  try {
    const options = { from: segment.bytes, until: bytes, mc: mcBefore, pause }
    const made = await indexLinesOf(path, options, line => writer.write(line))
    await writer.sync()
    const runs = segment.runs + made.runs
    return { segment: { ...segment, bytes, indexBytes: writer.position, runs }, mc: made.mc }
  } finally {
    writer.close()
  }
}

/** Removes what nobody can be reading any more: what has gone with an earlier generation than this one. */
export async function removeOld(folder: string, { generation, folded, dropped }: Catalogue): Promise<void> {
  const path = join(folder, 'journals')
  const journals = journalsOf(namesIn(path))
  for (const each of folded) {
    const files = journals.get(each.journal)
    if (each.generation >= generation || !files) continue
    // Another one may have that name by now.
    if (((await headerOf(path, files))?.created ?? 0) !== each.created) continue
    for (const file of filesToRemove(files, each)) {
      if (each.damaged) keepDamaged(folder, file)
      else rmSync(join(path, file), { force: true })
    }
  }
  for (const { file, generation: since } of dropped) if (since < generation) rmSync(join(folder, file), { force: true })
}

/** The first ones first: what is left of a journal then is known to be so. */
function filesToRemove(files: JournalFiles, { upTo }: FoldedJournal): string[] {
  if (upTo === undefined) return filesOf(files)
  const segments = files.segments.filter(({ segment }) => segment <= upTo).map(({ file }) => file)
  return [...segments, ...files.carries.filter(each => each < upTo).map(each => carryName(files.name, each))]
}

function keepDamaged(folder: string, file: string): void {
  makeFolder(join(folder, 'damaged'))
  renameSync(join(folder, 'journals', file), join(folder, 'damaged', file))
}
