import { statSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, readIfThere } from './files.js'
import { addFlow, type Catalogue, catalogued, emptyCatalogue } from './history/catalogue.js'
import { type IndexEntry, indexLinesOf } from './history/history-index.js'
import { type JournalFiles, journalsOf } from './journal/journal-files.js'
import { firstNumber } from './journal/journal-lines.js'
import { JournalReader } from './journal/journal-reader.js'
import { headerOf } from './journal/journal-state.js'
import type { Damage } from './lines/whole-lines.js'

/** A catalogue that has been made anew, with the indexes that belong to it, by the name of their segment. */
export interface Rebuilt {
  readonly catalogue: Catalogue
  readonly indexes: ReadonlyMap<string, Buffer>
  readonly damage: readonly Damage[]
}

export interface RebuildOptions {
  readonly pause?: (() => Promise<void> | undefined) | undefined
}

/**
 * Makes a catalogue of what is in the folder, without believing the one there is. What stands in a journal counts there,
 * even if it has been folded already: then it will be folded again, and what the history has of it is passed over.
 */
export async function rebuild(folder: string, { pause }: RebuildOptions = {}): Promise<Rebuilt> {
  const catalogue = emptyCatalogue()
  catalogue.generation = nextGeneration(folder)
  const damage: Damage[] = []
  const indexes = new Map<string, Buffer>()
  const names = namesIn(join(folder, 'history')).filter(name => /^\d{4,}\.ndjson$/.test(name))
  if (names.length === 0) return { catalogue, indexes, damage }
  const journals = await journalsIn(folder, catalogue)
  const seen = new Set<string>()
  const isWanted = ({ i, late, journal, q }: IndexEntry) => {
    const own = journals.get(journal)
    if (late) return !(own && q >= own.firstNumber)
    if (seen.has(i) || [...journals.values()].some(({ ids }) => ids.has(i))) return false
    seen.add(i)
    return true
  }
  let mc = 0
  for (const file of names.sort()) {
    const name = file.slice(0, -'.ndjson'.length)
    const path = join(folder, 'history', file)
    const until = statSync(path).size
    const onDamage = (each: Damage) => damage.push(each)
    const lines: Buffer[] = []
    const write = (line: Buffer) => void lines.push(line)
    const made = await indexLinesOf(path, { from: 0, until, mc, pause, onDamage }, write, (entry, run) => {
      if (!isWanted(entry)) return false
      if (run) addFlow(catalogue.flows, run.flowName, catalogued(run))
      return true
    })
    const index = `${name}.${catalogue.generation}`
    const text = Buffer.concat(lines)
    indexes.set(name, text)
    catalogue.segments.push({ name, bytes: made.end, index, indexBytes: text.length, runs: made.runs, mc })
    mc = made.mc
  }
  catalogue.mc = mc
  return { catalogue, indexes, damage }
}

interface KnownJournal {
  readonly ids: ReadonlySet<string>
  /** The number of its first line that has not been folded for certain. */
  readonly firstNumber: number
}

/** The journals that are still there, and which of their segments count. */
async function journalsIn(folder: string, catalogue: Catalogue): Promise<Map<string, KnownJournal>> {
  const journals = new Map<string, KnownJournal>()
  const path = join(folder, 'journals')
  for (const files of journalsOf(namesIn(path)).values()) {
    const upTo = foldedUpTo(files)
    // It was about to be removed, when all of it stood in the history.
    if (upTo === undefined) {
      const created = (await headerOf(path, files))?.created ?? 0
      catalogue.folded.push({ journal: files.name, created, generation: catalogue.generation })
      continue
    }
    const reader = new JournalReader(path, files.name, upTo)
    await reader.refresh(files)
    const created = reader.header?.created ?? 0
    if (upTo > 0) catalogue.folded.push({ journal: files.name, created, generation: catalogue.generation, upTo })
    const ids = [...reader.flowRuns.values()].filter(({ isStray }) => !isStray).map(({ run }) => run.id)
    for (const { run, isStray } of reader.flowRuns.values())
      if (!isStray) addFlow(catalogue.flows, run.flowName, catalogued(run))
    const first = files.segments.find(({ segment }) => segment > upTo)
    const number = first && (await firstNumber({ path: join(path, first.file), sealed: !files.isOld }))
    journals.set(files.name, { ids: new Set(ids), firstNumber: number ?? Number.POSITIVE_INFINITY })
  }
  return journals
}

/** Up to which segment a journal has been folded, as its files tell: those from there on are all there. `undefined`: all. */
function foldedUpTo({ segments, carries }: JournalFiles): number | undefined {
  const first = segments[0]?.segment ?? Number.POSITIVE_INFINITY
  if (first === 1) return 0
  return carries.find(upTo => upTo >= first - 1) ?? carries.at(-1)
}

/** Larger than any that the catalogue may have had. */
function nextGeneration(folder: string): number {
  const text = readIfThere(join(folder, 'catalogue.json')) ?? ''
  const found = Number(/"generation": *(\d+)/.exec(text)?.[1])
  return Math.max(Number.isSafeInteger(found) ? found + 2 : 0, Math.floor(Date.now() / 1000))
}
