import { join } from 'node:path'
import { type EndingSurroundings, endRunsOfTheDead, type FinishedJournal } from './crashed.js'
import { Folding, type FoldingOptions } from './folding.js'
import { type Catalogue, emptyCatalogue, readCatalogue } from './history/catalogue.js'
import { deleteFlowRuns, type Pruned, type PruneOptions, type PruneSurroundings, prune, type Removed } from './prune.js'

export interface UpkeepOptions extends FoldingOptions {
  readonly surroundings: EndingSurroundings
}

/**
 * What whoever writes to a store does for all that share it: ends the runs of owners that have died, folds journals that
 * are finished into the history, and removes what is to go.
 */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #folding: Folding

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#folding = new Folding(options)
  }

  /** Ends the runs of the dead, and folds what has finished, if there is enough of it. */
  async recover(deadOwner?: string, catalogue = this.#catalogue()): Promise<void> {
    this.#folding.consider(await this.#finished(catalogue, deadOwner))
  }

  /** The own journal goes on in another file: what has ended may leave those before. */
  considerOwn(journal: string): void {
    this.#folding.considerOwn(journal)
  }

  /** Removes flow runs that have ended, as far as they may go. */
  async prune(options: PruneOptions): Promise<Pruned> {
    return prune(options, await this.#removing())
  }

  /** Removes these flow runs: all of them or none. */
  async deleteFlowRuns(ids: readonly string[], dryRun: boolean | undefined): Promise<Removed> {
    return deleteFlowRuns(ids, await this.#removing(), dryRun)
  }

  /** Waits for what is under way, and begins nothing any more. */
  settle(): Promise<void> {
    return this.#folding.settle()
  }

  async #removing(): Promise<PruneSurroundings> {
    const { folder, temporary } = this.#options
    const finished = await this.#finished(this.#catalogue())
    await this.#folding.idle()
    return { folder, folding: this.#folding, temporary, finished }
  }

  #finished({ folded }: Catalogue, deadOwner?: string): Promise<FinishedJournal[]> {
    const { folder, temporary, surroundings } = this.#options
    return endRunsOfTheDead(join(folder, 'journals'), folded, { ...surroundings, deadOwner }, temporary)
  }

  #catalogue(): Catalogue {
    return readCatalogue(join(this.#options.folder, 'catalogue.json')).catalogue ?? emptyCatalogue()
  }
}
