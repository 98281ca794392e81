import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { DamageReport } from './damage-report.js'
import { namesIn } from './files.js'
import { type Catalogue, emptyCatalogue, readCatalogue } from './history/catalogue.js'
import { History } from './history/history.js'
import { type JournalFiles, journalsOf } from './journal/journal-files.js'
import { JournalReader } from './journal/journal-reader.js'
import { headerOf } from './journal/journal-state.js'
import { rebuild } from './rebuild.js'

/** One state of the folder: what is asked about it is answered from it alone, whatever others read meanwhile. */
export interface Snapshot {
  readonly catalogue: Catalogue
  readonly history: History
  readonly readers: readonly JournalReader[]
}

/** Knows what is in the folder of a store, and remembers how far it has read the journals there. */
export class Snapshots {
  readonly #folder: string
  readonly #journals: string
  readonly #report: DamageReport
  readonly #readers = new Map<string, JournalReader>()
  #catalogue: Catalogue = emptyCatalogue()
  /** Tells whether the file of the catalogue is still the one that has been read. */
  #seen = ''
  #history: History
  readonly #checked = new Set<string>()
  #taking: Promise<unknown> = Promise.resolve()

  constructor(folder: string, report: DamageReport) {
    this.#folder = folder
    this.#journals = join(folder, 'journals')
    this.#report = report
    this.#history = this.#historyOf(this.#catalogue)
  }

  /** What is there now: reads what has been added since. One at a time: readers remember offsets. */
  take(): Promise<Snapshot> {
    const taken = this.#taking.then(async () => {
      do {
        await this.#readCatalogue()
        await this.#readJournals()
        // What is folded now is removed when the next folding is done: then some of it may have been missed.
      } while (generationIn(this.#path) > this.#catalogue.generation + 1)
      return { catalogue: this.#catalogue, history: this.#history, readers: [...this.#readers.values()] }
    })
    this.#taking = taken.catch(() => {})
    return taken
  }

  async #readCatalogue(): Promise<void> {
    const seen = stampOf(this.#path)
    if (seen === this.#seen) return
    const { catalogue, damaged } = readCatalogue(this.#path)
    // Without it the history still tells what there is.
    const rebuilt = catalogue ? undefined : await rebuild(this.#folder)
    this.#catalogue = catalogue ?? rebuilt!.catalogue
    if (damaged) this.#report.tellOnce(`The catalogue ${this.#path} is damaged. What it held is read from the history.`)
    this.#seen = seen
    this.#history = this.#historyOf(this.#catalogue, rebuilt?.indexes)
  }

  #historyOf(catalogue: Catalogue, indexes?: ReadonlyMap<string, Buffer>): History {
    const seen = this.#seen
    return new History(this.#folder, catalogue, {
      onDamage: damage => this.#report.add(damage),
      isCurrent: () => seen === this.#seen && stampOf(this.#path) === seen,
      checked: this.#checked,
      indexes,
    })
  }

  async #readJournals(): Promise<void> {
    const journals = journalsOf(namesIn(this.#journals))
    for (const name of this.#readers.keys()) if (!journals.has(name)) this.#readers.delete(name)
    for (const files of journals.values()) {
      const reader = await this.#readerOf(files)
      if (!reader || reader.finished) continue
      await reader.refresh(files)
      for (const damage of reader.damage) this.#report.add(damage)
    }
  }

  /** The reader of a journal; `undefined`: the history has all of it. */
  async #readerOf(files: JournalFiles): Promise<JournalReader | undefined> {
    const { name } = files
    const folded = this.#catalogue.folded.filter(({ journal }) => journal === name)
    let upTo = 0
    if (folded.length > 0) {
      const created = (await headerOf(this.#journals, files))?.created ?? 0
      const its = folded.filter(each => each.created === created)
      if (its.some(each => each.upTo === undefined)) {
        this.#readers.delete(name)
        return undefined
      }
      upTo = Math.max(0, ...its.map(each => each.upTo ?? 0))
    }
    let reader = this.#readers.get(name)
    if (reader?.upTo !== upTo) reader = undefined
    if (!reader) this.#readers.set(name, (reader = new JournalReader(this.#journals, name, upTo)))
    return reader
  }

  get #path(): string {
    return join(this.#folder, 'catalogue.json')
  }
}

/** Changes whenever the file is replaced. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true })
  return stat ? `${stat.ino} ${stat.mtimeNs} ${stat.size}` : 'none'
}

function generationIn(path: string): number {
  return readCatalogue(path).catalogue?.generation ?? 0
}
