import { statSync } from 'node:fs'
import { join } from 'node:path'
import { isMintakaError } from '../core/errors.js'
import { messageOf } from '../core/state.js'
import type { StoreSurroundings } from '../core/store.js'
import type { FinishedJournal } from './crashed.js'
import { namesIn } from './files.js'
import { type Catalogue, readCatalogue, writeCatalogue } from './history/catalogue.js'
import { foldJournals, type ToFold } from './history/fold.js'
import { hasMoved } from './history/moved.js'
import { carryName, journalsOf } from './journal/journal-files.js'
import { takeLock } from './lock.js'
import { Pace } from './pace.js'

export interface FoldingOptions {
  readonly folder: string
  readonly warn: StoreSurroundings['warn']
  readonly temporary: () => string
  /** Finished journals are folded when there are so many. Default: 32. */
  readonly foldJournals?: number | undefined
  /** Or when they take so much. Default: 4 MiB. */
  readonly foldBytes?: number | undefined
  /** A file of the history that is larger than this gets no more. Default: 64 MiB. */
  readonly historyBytes?: number | undefined
}

const mebibyte = 1024 * 1024
const stepBytes = 16 * mebibyte

/**
 * Folds in the background, whenever it is worth it: in steps, each of which takes the lock, and counts as a whole or not
 * at all. It keeps no process alive; but who closes waits for the end of a step, so that short lives fold in total.
 */
export class Folding {
  readonly #options: FoldingOptions
  readonly #pace = new Pace()
  #working: Promise<void> | undefined
  #isStopping = false
  #hasAdvised = false
  /** What the finished segments of the own journal must take before they are looked at again. */
  #worthwhile = 0

  constructor(options: FoldingOptions) {
    this.#options = options
  }

  /** Begins if there is enough. */
  consider(finished: readonly FinishedJournal[]): void {
    const bytes = finished.reduce((sum, journal) => sum + journal.bytes, 0)
    const { foldJournals = 32, foldBytes = 4 * mebibyte } = this.#options
    if (finished.length < foldJournals && bytes < foldBytes) return
    this.#begin(() => this.#foldFinished(finished))
  }

  /** Folds those journals, all of them, now. `lock` must be held. */
  async foldNow(finished: readonly FinishedJournal[], catalogue: Catalogue): Promise<Catalogue> {
    this.#pace.hold()
    let current = catalogue
    for (const journals of stepsOf(finished)) current = await this.#fold(current, journals)
    return current
  }

  /** Divides its time with others. */
  get pause(): () => Promise<void> | undefined {
    return this.#pace.pause
  }

  /** The own journal goes on in another file: what has ended may leave those before. */
  considerOwn(journal: string): void {
    this.#begin(() => this.#foldOwn(journal))
  }

  /** Resolves when nothing is under way here. */
  async idle(): Promise<void> {
    await this.#working
  }

  /** Waits for the step that is under way, and begins no other one. */
  async settle(): Promise<void> {
    this.#isStopping = true
    this.#pace.hold()
    await this.#working
  }

  #begin(work: () => Promise<void>): void {
    if (this.#working || this.#isStopping) return
    // Not at once: whoever begins this is in the middle of something.
    this.#working = this.#pace
      .rest()
      .then(work)
      .catch(error => this.#failed(error))
      .finally(() => {
        this.#working = undefined
      })
  }

  async #foldFinished(finished: readonly FinishedJournal[]): Promise<void> {
    // One step is done in any case: there may be none but short lives here.
    for (const step of stepsOf(finished)) if (!(await this.#step(step)) || this.#isStopping) return
  }

  async #foldOwn(journal: string): Promise<void> {
    const path = join(this.#options.folder, 'journals')
    const files = journalsOf(namesIn(path)).get(journal)
    const upTo = files?.segments.at(-2)?.segment
    if (!files || upTo === undefined) return
    const names = files.segments.filter(({ segment }) => segment <= upTo).map(({ file }) => file)
    const carry = files.carries.at(-1)
    if (carry !== undefined) names.push(carryName(journal, carry))
    const bytes = names.reduce(
      (sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    )
    if (bytes < this.#worthwhile) return
    const before = this.#catalogue().generation
    if (!(await this.#step([{ files, upTo }]))) return
    // Where little can leave, the same is not read again before there is half as much more.
    this.#worthwhile = this.#catalogue().generation === before ? bytes * 1.5 : 0
  }

  /** `false`: somebody else has the lock. */
  async #step(journals: readonly ToFold[]): Promise<boolean> {
    const { folder, temporary } = this.#options
    const lock = takeLock(join(folder, 'fold.lock'), temporary)
    if (!lock.held) {
      if (lock.advice !== undefined) this.#advise(`${lock.why}. ${lock.advice}`)
      return false
    }
    try {
      await this.#fold(this.#catalogue(), journals)
      return true
    } finally {
      lock.release()
    }
  }

  #fold(catalogue: Catalogue, journals: readonly ToFold[]): Promise<Catalogue> {
    const { folder, temporary, historyBytes = 64 * mebibyte } = this.#options
    const commit = (next: Catalogue) => writeCatalogue(join(folder, 'catalogue.json'), next, temporary)
    return foldJournals(catalogue, journals, { folder, pause: this.#pace.pause, temporary, historyBytes, commit })
  }

  #catalogue(): Catalogue {
    const path = join(this.#options.folder, 'catalogue.json')
    const { catalogue } = readCatalogue(path)
    if (catalogue) return catalogue
    throw new Error(`${path} is damaged or gone. It is rebuilt when the store is opened for writing next`)
  }

  #advise(why: string): void {
    if (this.#hasAdvised) return
    this.#hasAdvised = true
    this.#options.warn(`The journals of ${this.#options.folder} are not folded: ${why}`)
  }

  #failed(error: unknown): void {
    // Somebody has removed what was to be folded: it had been folded before.
    if (hasMoved(error)) return
    const { folder, warn } = this.#options
    const why = isMintakaError(error) ? error.message : `${messageOf(error)}.`
    warn(`The journals of ${folder} could not be folded: ${why} They stay as they are; it is tried again later.`, {
      cause: error,
    })
  }
}

/** Journals that are folded at once: many small ones, or a large one. */
function* stepsOf(finished: readonly FinishedJournal[]): Generator<ToFold[]> {
  let step: ToFold[] = []
  let bytes = 0
  for (const { files, bytes: its } of finished) {
    if (step.length > 0 && bytes + its > stepBytes) {
      yield step
      step = []
      bytes = 0
    }
    step.push({ files })
    bytes += its
  }
  if (step.length > 0) yield step
}
