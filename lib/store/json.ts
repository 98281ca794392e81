import { accessSync, constants } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { workerDoor } from '../core/door.js'
import { isMintakaError, MintakaError } from '../core/errors.js'
import type { LogEntry } from '../core/logger.js'
import { check, checkOptions } from '../core/options.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import type { State } from '../core/state.js'
import type {
  Ack,
  BriefTaskRun,
  CacheEntry,
  Claim,
  Command,
  FlowRunFilter,
  StateOptions,
  Store,
  StoredRun,
  StoreSurroundings,
} from '../core/store.js'
import { Cache } from './cache.js'
import { Claims } from './claims.js'
import { JsonDocuments } from './documents.js'
import { makeFolder, makeStoreFolder, namesIn, sweepTemporaries, temporaryName } from './files.js'
import { readCatalogue } from './history/catalogue.js'
import { Inboxes } from './inboxes.js'
import { refused } from './journal/acks.js'
import { sweepLock } from './lock.js'
import { openCatalogue } from './open-catalogue.js'
import type { Pruned, PruneOptions, Removed } from './prune.js'
import { Reading } from './reading.js'
import { codecWithFiles, ResultFiles } from './result-files.js'
import { notOpen, notOpened, openedInTask, openFailed, writeFailed } from './store-errors.js'
import { Upkeep } from './upkeep.js'
import { Writing } from './writing.js'

/** Options of {@link JsonStore}. */
export interface JsonStoreOptions {
  /** Default: the environment variable MINTAKA_HOME, else `.mintaka` in the home folder. Made when the store is opened. */
  readonly folder?: string | undefined
  /**
   * What an acknowledged state survives: the death of the process (the default), or also the loss of power, at the price
   * of waiting for the disk.
   */
  readonly durability?: 'process' | 'power' | undefined
  /** How large a file of the journal becomes before it is carried on in the next one. Default: 4 MiB. */
  readonly segmentBytes?: number | undefined
  /**
   * How large a result may be to be kept, in characters of JSON; default 64 Mi. One that is larger, or that JSON cannot
   * carry, leaves its run COMPLETED and is marked as not kept.
   */
  readonly maxResultBytes?: number | undefined
  /** Journals of engines that have ended are folded into the history when there are so many. Default: 32. */
  readonly foldJournals?: number | undefined
  /** Or when they take so many bytes. Default: 4 MiB. */
  readonly foldBytes?: number | undefined
  /** How large a file of the history becomes before another one is begun. Default: 64 MiB. */
  readonly historyBytes?: number | undefined
}

/**
 * Keeps runs in a folder that any number of processes may share. Each writes a journal of its own; all read all of them,
 * without locks. docs/STORE-FORMAT.md tells what is in the folder.
 */
export class JsonStore implements Store {
  readonly name = 'json'
  readonly #options: JsonStoreOptions
  #folder = ''
  #surroundings: StoreSurroundings | undefined
  /** What keeps what happens: `undefined` before the store is opened, and while it is only read. */
  #writing: Writing | undefined
  /** What answers questions. It stays when the store is closed. */
  #reading: Reading | undefined
  /** What is done for all who share the folder, from when it is open for writing until it is closed. */
  #upkeep: Upkeep | undefined
  #inboxes: Inboxes | undefined
  #documents: JsonDocuments | undefined

  /** Throws INVALID_OPTION. */
  constructor(options: JsonStoreOptions = {}) {
    checkOptions('JsonStore', options, {
      folder: check.string,
      durability: check.oneOf('process', 'power'),
      segmentBytes: check.positive,
      maxResultBytes: check.positive,
      foldJournals: check.positive,
      foldBytes: check.positive,
      historyBytes: check.positive,
    })
    this.#options = options
  }

  /** Where it keeps what it keeps. */
  get folder(): string {
    return this.#folder || resolve(this.#options.folder ?? (process.env['MINTAKA_HOME'] || join(homedir(), '.mintaka')))
  }

  get degraded(): Promise<void> | undefined {
    return this.#writing?.degraded
  }

  async open(given: StoreSurroundings): Promise<void> {
    this.#folder = this.folder
    if (workerDoor()) throw openedInTask(this.#folder)
    const limit = this.#maxResultBytes
    const codec = codecWithFiles(given.codec, this.#results, limit, flowRunId => ({ flowRunId }))
    const surroundings = { ...given, codec }
    this.#surroundings = surroundings
    this.#reading = new Reading(this.#folder, surroundings, () => this.#writing?.flush())
    this.#inboxes = new Inboxes(this.#folder)
    try {
      if (surroundings.readOnly) this.#checkReadable()
      else await this.#openForWriting(surroundings)
    } catch (error) {
      this.#surroundings = undefined
      throw isMintakaError(error) ? error : openFailed(this.#folder, error)
    }
  }

  async close({ abandoned = false }: { readonly abandoned?: boolean | undefined } = {}): Promise<void> {
    const writing = this.#writing
    const surroundings = this.#surroundings
    this.#writing = undefined
    if (!writing || !surroundings) return
    try {
      await writing.close(abandoned)
    } finally {
      await this.#upkeep?.settle()
      this.#upkeep = undefined
      this.#inboxes?.remove(surroundings.owner)
    }
  }

  leave(): void {
    const writing = this.#writing
    this.#writing = undefined
    writing?.leave()
  }

  createFlowRun(run: FlowRun, options?: { readonly parameters?: unknown }): Ack {
    return this.#writing ? this.#writing.createFlowRun(run, options?.parameters) : refused(notOpen)
  }

  createTaskRun(run: TaskRun): Ack {
    return this.#writing ? this.#writing.createTaskRun(run) : refused(notOpen)
  }

  appendState(run: Run, state: State, options?: StateOptions): Ack {
    return this.#writing ? this.#writing.appendState(run, state, options) : refused(notOpen)
  }

  appendLog(entry: LogEntry): void {
    this.#writing?.appendLog(entry)
  }

  async listFlowRuns(filter: FlowRunFilter = {}): Promise<StoredRun<FlowRun>[]> {
    return this.#asked.listFlowRuns(filter)
  }

  async getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined> {
    return this.#asked.getFlowRun(id)
  }

  async listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]> {
    return this.#asked.listTaskRuns(flowRunId)
  }

  async listTaskRunsBriefly(flowRunId: string): Promise<BriefTaskRun[]> {
    return this.#asked.listTaskRunsBriefly(flowRunId)
  }

  async getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined> {
    return this.#asked.getTaskRun(id)
  }

  async listLogs(flowRunId: string): Promise<LogEntry[]> {
    return this.#asked.listLogs(flowRunId)
  }

  getCached(key: string): CacheEntry | undefined {
    return this.#cache.get(key)
  }

  putCached(key: string, entry: CacheEntry): void {
    this.#write(`The cache entry of run ${entry.runId}`, () => {
      const why = this.#cache.put(key, entry, Date.now())
      if (why !== undefined) this.#opened.warn(`The result of run ${entry.runId} is not in the cache: ${why}`)
    })
  }

  async claim(key: string, value: string, options?: { readonly after?: number }): Promise<Claim> {
    return this.#claiming(key, claims => claims.claim(key, value, options?.after))
  }

  async unclaim(key: string, generation: number): Promise<void> {
    await this.#claiming(key, claims => claims.release(key, generation))
  }

  /**
   * Ends the runs of owners that have died since the store was opened. `deadOwner`: an owner on another machine, or in another
   * container, that is known to have died though nobody here can see it; if it lives, what it does from then on is lost.
   */
  async recover({ deadOwner }: { readonly deadOwner?: string | undefined } = {}): Promise<void> {
    if (this.#writing) await this.#upkeep?.recover(deadOwner)
  }

  /**
   * Removes top-level flow runs that have ended, with their subflow runs, task runs, logs, results and claims: all but the
   * `keep` newest, those that ended more than `olderThanMs` milliseconds ago, or, with both, those to which both apply.
   * Expired entries of the cache go as well. What an engine that still lives has not folded yet stays. Others may read and
   * write meanwhile. Throws INVALID_OPTION, and STORE_WRITE_FAILED if the store is not open for writing.
   */
  async prune(options: PruneOptions): Promise<Pruned> {
    checkOptions('JsonStore.prune', options, {
      keep: check.count,
      olderThanMs: check.milliseconds,
      dryRun: check.boolean,
    })
    if (options.keep === undefined && options.olderThanMs === undefined)
      throw new MintakaError('INVALID_OPTION', 'prune() needs a limit: keep, olderThanMs or both.')
    return this.#removing.prune(options)
  }

  /**
   * Removes these flow runs, with their subflow runs and all that belongs to them; their idempotency keys are free again.
   * All of them or none: throws NOT_FOUND for an id that is not there, NOT_DELETABLE for a flow run that has not ended, is
   * part of another one, or was carried out by an engine that still lives and has not folded it yet. `dryRun`: only that.
   */
  async deleteFlowRuns(ids: readonly string[], options: { readonly dryRun?: boolean } = {}): Promise<Removed> {
    checkOptions('JsonStore.deleteFlowRuns', options, { dryRun: check.boolean })
    return this.#removing.deleteFlowRuns(ids, options.dryRun)
  }

  get #removing(): Upkeep {
    if (this.#upkeep) return this.#upkeep
    throw new MintakaError('STORE_WRITE_FAILED', `Nothing was removed: ${notOpen}.`)
  }

  get documents(): JsonDocuments {
    this.#documents ??= new JsonDocuments({
      folder: this.folder,
      isWritable: () => this.#writing !== undefined,
      warn: message => this.#surroundings?.warn(message),
    })
    return this.#documents
  }

  async post(owner: string, command: Command): Promise<void> {
    this.#write(`A command to ${owner}`, () => this.#inboxes?.post(owner, command))
  }

  async takePosted(owner: string): Promise<Command[]> {
    return this.#inboxes?.take(owner, message => this.#opened.warn(message)) ?? []
  }

  async #openForWriting(surroundings: StoreSurroundings): Promise<void> {
    makeStoreFolder(this.#folder)
    for (const folder of ['journals', 'claims', 'inbox', 'cache', 'tmp']) {
      makeFolder(this.#path(folder))
      accessSync(this.#path(folder), constants.R_OK | constants.W_OK | constants.X_OK)
    }
    const temporary = () => this.#temporary()
    sweepTemporaries(this.#path('tmp'))
    sweepLock(this.#path('fold.lock'), temporary)
    this.documents.sweep()
    const catalogue = await openCatalogue(this.#folder, surroundings.warn, temporary)
    const { foldJournals, foldBytes, historyBytes, durability = 'process', segmentBytes } = this.#options
    const { warn } = surroundings
    const folding = { folder: this.#folder, warn, temporary, foldJournals, foldBytes, historyBytes }
    const upkeep = new Upkeep({ ...folding, surroundings })
    await upkeep.recover(undefined, catalogue)
    this.#upkeep = upkeep
    const onEnded = (journal: string) => upkeep.considerOwn(journal)
    const folder = this.#path('journals')
    this.#writing = new Writing({ ...surroundings, folder, durability, segmentBytes, onEnded })
  }

  /** Of a store that does not exist nothing can be read; of one that does, everything that is asked for. */
  #checkReadable(): void {
    readCatalogue(this.#path('catalogue.json'))
    namesIn(this.#path('journals'))
  }

  get #results(): ResultFiles {
    return new ResultFiles(this.#folder, this.#options.durability === 'power')
  }

  get #cache(): Cache {
    const options = { maxResultBytes: this.#maxResultBytes, sync: this.#options.durability === 'power' }
    return new Cache(this.#folder, this.#codec, this.#results, options)
  }

  get #maxResultBytes(): number {
    return this.#options.maxResultBytes ?? 64 * 1024 * 1024
  }

  async #claiming<T>(key: string, write: (claims: Claims) => Promise<T>): Promise<T> {
    const what = `The claim on '${key}'`
    this.#mustBeOpen(what)
    try {
      return await write(new Claims(this.#folder))
    } catch (cause) {
      throw isMintakaError(cause) ? cause : writeFailed(this.#folder, what, cause)
    }
  }

  #write(what: string, write: () => void): void {
    this.#mustBeOpen(what)
    try {
      write()
    } catch (cause) {
      throw writeFailed(this.#folder, what, cause)
    }
  }

  #mustBeOpen(what: string): void {
    if (!this.#writing) throw new MintakaError('STORE_WRITE_FAILED', `${what} was not written: ${notOpen}.`)
  }

  get #opened(): StoreSurroundings {
    if (this.#surroundings) return this.#surroundings
    throw notOpened()
  }

  get #asked(): Reading {
    if (this.#surroundings && this.#reading) return this.#reading
    throw notOpened()
  }

  get #codec() {
    return this.#opened.codec
  }

  #path(...names: string[]): string {
    return join(this.#folder, ...names)
  }

  #temporary(): string {
    return this.#path('tmp', temporaryName())
  }
}
