import { accessSync, constants, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { workerDoor } from '../core/door.js'
import { isMintakaError, MintakaError } from '../core/errors.js'
import type { LogEntry } from '../core/logger.js'
import { check, checkOptions } from '../core/options.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isSettled, isTerminal, messageOf, type State } from '../core/state.js'
import type {
  Ack,
  BriefTaskRun,
  CacheEntry,
  Claim,
  Codec,
  Command,
  FlowRunFilter,
  StateOptions,
  Store,
  StoredRun,
  StoreSurroundings,
} from '../core/store.js'
import { callRecord } from '../core/task-calls.js'
import { refused } from './acks.js'
import { Batch } from './batch.js'
import { Cache } from './cache.js'
import { type Catalogue, emptyCatalogue, readCatalogue } from './catalogue.js'
import { Claims } from './claims.js'
import { type EndingSurroundings, endRunsOfTheDead, type FinishedJournal } from './crashed.js'
import { JsonDocuments } from './documents.js'
import {
  fileName,
  makeFolder,
  makeStoreFolder,
  namesIn,
  replaceFile,
  sweepTemporaries,
  temporaryName,
} from './files.js'
import { flowRunLine } from './flow-run-line.js'
import { Folding } from './folding.js'
import { Journal } from './journal.js'
import { closedLine, format, headerLine } from './line.js'
import type { ValueCodec } from './line-values.js'
import { sweepLock } from './lock.js'
import { logLine } from './log-line.js'
import { openCatalogue } from './open-catalogue.js'
import { thisProcess } from './process-id.js'
import { deleteFlowRuns, type Pruned, type PruneOptions, type PruneSurroundings, prune, type Removed } from './prune.js'
import { Reading } from './reading.js'
import { ResultFiles } from './result-files.js'
import { stateLine } from './state-line.js'
import { taskRunLine } from './task-run-line.js'
import { describeUnsaved } from './unsaved.js'

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
  /** `undefined` before the store is opened, and while it is only read. */
  #journal: Journal | undefined
  /** What goes into the journal by the batch. */
  #batch: Batch | undefined
  #surroundings: StoreSurroundings | undefined
  /** What answers questions. It stays when the store is closed. */
  #reading: Reading | undefined
  /** Flow runs whose end has not been saved. */
  readonly #open = new Map<string, FlowRun>()
  #folding: Folding | undefined
  #documents: JsonDocuments | undefined
  /** Flow runs that have ended since the journal was looked at for what may leave it. */
  #endedFlowRuns = 0
  #posted = 0

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
    return this.#journal?.degraded
  }

  async open(given: StoreSurroundings): Promise<void> {
    this.#folder = this.folder
    if (workerDoor()) throw openedInTask(this.#folder)
    const surroundings = { ...given, codec: this.#withFiles(given.codec) }
    this.#surroundings = surroundings
    this.#reading = new Reading(this.#folder, surroundings, () => this.#journal?.flush())
    try {
      if (surroundings.readOnly) this.#checkReadable()
      else await this.#openForWriting(surroundings)
    } catch (error) {
      this.#surroundings = undefined
      throw isMintakaError(error) ? error : openFailed(this.#folder, error)
    }
  }

  async close({ abandoned = false }: { readonly abandoned?: boolean | undefined } = {}): Promise<void> {
    const journal = this.#journal
    const surroundings = this.#surroundings
    this.#journal = undefined
    this.#batch = undefined
    if (!journal || !surroundings) return
    try {
      await journal.close(seq => closedLine(seq, Date.now(), abandoned ? this.#openRuns : 0))
    } finally {
      this.#open.clear()
      await this.#folding?.settle()
      this.#folding = undefined
      this.#removeInbox(surroundings)
    }
  }

  leave(): void {
    const journal = this.#journal
    this.#journal = undefined
    this.#batch = undefined
    try {
      journal?.leave(seq => closedLine(seq, Date.now()))
    } catch {
      // What is not in the journal now is lost with the process.
    }
  }

  /** How many flow runs go on. */
  get #openRuns(): number {
    return [...this.#open.values()].filter(({ state }) => !isSettled(state) && state.name !== 'Scheduled').length
  }

  createFlowRun(run: FlowRun, options?: { readonly parameters?: unknown }): Ack {
    const journal = this.#journal
    if (!journal) return refused(notOpen)
    this.#open.set(run.id, run)
    journal.append(flowRunLine(run, journal.next(), this.#codec, options?.parameters))
    return journal.acknowledged()
  }

  createTaskRun(run: TaskRun): Ack {
    const journal = this.#journal
    if (!journal) return refused(notOpen)
    const call = callRecord(run)
    if (!(call && this.#batch?.create(call))) journal.append(taskRunLine(run, journal.next(), this.#codec))
    return isSettled(run.state) ? journal.acknowledged() : undefined
  }

  appendState(run: Run, state: State, options?: StateOptions): Ack {
    const journal = this.#journal
    if (!journal) return refused(notOpen)
    const persist = options?.persist !== false
    const call = callRecord(run)
    if (!(call && this.#batch?.enter(call, state, persist)))
      journal.append(stateLine(run, journal.next(), state, this.#codec, persist, options?.parameters))
    if (run.kind === 'flow-run' && isTerminal(state)) this.#endedFlowRuns += 1
    // The others need no write of their own: they only have to come first in the file.
    if (!isSettled(state)) return undefined
    const ack = journal.acknowledged()
    if (run.kind === 'flow-run') this.#forget(run.id, ack)
    return ack
  }

  /** Once its end is saved, nobody will have to be told that it is not. */
  #forget(id: string, ack: Ack): void {
    const forget = () => void this.#open.delete(id)
    if (ack) ack.then(forget, () => {})
    else forget()
  }

  appendLog(entry: LogEntry): void {
    const journal = this.#journal
    if (journal && !journal.leaveOut()) journal.append(logLine(entry, journal.next(), this.#codec))
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
    this.#writing(`The cache entry of run ${entry.runId}`, () => {
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
    if (this.#journal) await this.#endRunsOfTheDead({ ...this.#opened, deadOwner }, this.#catalogue())
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
    return prune(options, await this.#removing())
  }

  /**
   * Removes these flow runs, with their subflow runs and all that belongs to them; their idempotency keys are free again.
   * All of them or none: throws NOT_FOUND for an id that is not there, NOT_DELETABLE for a flow run that has not ended, is
   * part of another one, or was carried out by an engine that still lives and has not folded it yet. `dryRun`: only that.
   */
  async deleteFlowRuns(ids: readonly string[], options: { readonly dryRun?: boolean } = {}): Promise<Removed> {
    checkOptions('JsonStore.deleteFlowRuns', options, { dryRun: check.boolean })
    return deleteFlowRuns(ids, await this.#removing(), options.dryRun)
  }

  async #removing(): Promise<PruneSurroundings> {
    const folding = this.#folding
    if (!folding) throw new MintakaError('STORE_WRITE_FAILED', `Nothing was removed: ${notOpen}.`)
    const finished = await this.#finished(this.#opened, this.#catalogue().folded)
    await folding.idle()
    return { folder: this.#folder, folding, temporary: () => this.#temporary(), finished }
  }

  get documents(): JsonDocuments {
    this.#documents ??= new JsonDocuments({
      folder: this.folder,
      isWritable: () => this.#journal !== undefined,
      warn: message => this.#surroundings?.warn(message),
    })
    return this.#documents
  }

  async post(owner: string, command: Command): Promise<void> {
    this.#writing(`A command to ${owner}`, () => {
      const inbox = this.#inbox(owner)
      makeFolder(inbox)
      // Names sort by time, and within one process by number.
      this.#posted += 1
      const name = `${pad(Date.now())}-${pad(this.#posted)}-${temporaryName().split('.').at(-1)}.json`
      replaceFile(join(inbox, name), `${JSON.stringify(command)}\n`, this.#temporary(), false)
    })
  }

  async takePosted(owner: string): Promise<Command[]> {
    const inbox = this.#inbox(owner)
    const commands: Command[] = []
    for (const name of namesIn(inbox).sort()) {
      const path = join(inbox, name)
      try {
        commands.push(JSON.parse(readFileSync(path, 'utf8')) as Command)
      } catch (error) {
        this.#opened.warn(`A command was not understood: ${path}: ${messageOf(error)}`)
      }
      rmSync(path, { force: true })
    }
    return commands
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
    const { foldJournals, foldBytes, historyBytes } = this.#options
    const { warn } = surroundings
    this.#folding = new Folding({ folder: this.#folder, warn, temporary, foldJournals, foldBytes, historyBytes })
    await this.#endRunsOfTheDead(surroundings, catalogue)
    this.#journal = this.#newJournal(surroundings)
    this.#batch = new Batch(this.#journal, surroundings.codec)
  }

  #newJournal({ owner, warn, onDegraded }: StoreSurroundings): Journal {
    const created = Date.now()
    const { durability = 'process', segmentBytes } = this.#options
    return new Journal({
      folder: this.#path('journals'),
      name: fileName(owner),
      header: (journal, segment) => headerLine({ format, owner, process: thisProcess(), created, journal, segment }),
      durability,
      segmentBytes,
      onSegment: journal => this.#rotated(journal),
      warn,
      onDegraded,
      describe: lines => describeUnsaved(lines, id => this.#open.get(id)?.name),
    })
  }

  /** Folds what has finished, if there is enough of it. */
  async #endRunsOfTheDead(surroundings: EndingSurroundings, { folded }: Catalogue): Promise<void> {
    this.#folding?.consider(await this.#finished(surroundings, folded))
  }

  #finished(surroundings: EndingSurroundings, folded: Catalogue['folded']): Promise<FinishedJournal[]> {
    return endRunsOfTheDead(this.#path('journals'), folded, surroundings, () => this.#temporary())
  }

  /** The journal goes on in another file. */
  #rotated(journal: string): void {
    if (this.#endedFlowRuns === 0) return
    this.#endedFlowRuns = 0
    this.#folding?.considerOwn(journal)
  }

  #catalogue(): Catalogue {
    return readCatalogue(this.#path('catalogue.json')).catalogue ?? emptyCatalogue()
  }

  /** Of a store that does not exist nothing can be read; of one that does, everything that is asked for. */
  #checkReadable(): void {
    readCatalogue(this.#path('catalogue.json'))
    namesIn(this.#path('journals'))
  }

  #removeInbox({ owner }: StoreSurroundings): void {
    try {
      rmdirSync(this.#inbox(owner))
    } catch {
      // There is none, nearly always; or somebody has just posted something.
    }
  }

  /** The codec, with files for values that are too large for a line. */
  #withFiles(codec: Codec): ValueCodec {
    const files = this.#results
    return {
      encode: (value, limit) => codec.encode(value, limit),
      decode: text => codec.decode(text),
      files: {
        limit: this.#maxResultBytes,
        write: (flowRunId, text) => files.write({ flowRunId }, text),
        read: (flowRunId, name) => files.read({ flowRunId }, name),
      },
    }
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
      throw isMintakaError(cause) ? cause : this.#writeFailed(what, cause)
    }
  }

  #writing(what: string, write: () => void): void {
    this.#mustBeOpen(what)
    try {
      write()
    } catch (cause) {
      throw this.#writeFailed(what, cause)
    }
  }

  #mustBeOpen(what: string): void {
    if (!this.#journal) throw new MintakaError('STORE_WRITE_FAILED', `${what} was not written: ${notOpen}.`)
  }

  #writeFailed(what: string, cause: unknown): MintakaError {
    const message = `${what} could not be written in ${this.#folder}: ${messageOf(cause)}.`
    return new MintakaError('STORE_WRITE_FAILED', message, { cause })
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

  #inbox(owner: string): string {
    return this.#path('inbox', fileName(owner))
  }
}

const notOpen = 'the store is not open for writing'
const notOpened = () => new MintakaError('STORE_OPEN_FAILED', 'The store has not been opened: call open() first.')
const pad = (number: number) => String(number).padStart(16, '0')

function openedInTask(folder: string): MintakaError {
  const why = 'it was opened on a thread that carries out tasks'
  const fix = 'Open it on the main thread or on a thread of your own, and give tasks what they need of it as arguments.'
  return new MintakaError('STORE_OPEN_FAILED', `The store in ${folder} could not be opened: ${why}. ${fix}`)
}

function openFailed(folder: string, cause: unknown): MintakaError {
  const { code, path = folder } = cause as NodeJS.ErrnoException
  const elsewhere = 'or set MINTAKA_HOME (or the folder of the JsonStore) to another folder'
  const why =
    code === 'EEXIST' || code === 'ENOTDIR'
      ? `${path} is in the way: it is not a folder. Move it away, ${elsewhere}.`
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? `there is no permission to use ${path}. Give it to this user, ${elsewhere}.`
        : code === 'ENOSPC' || code === 'EDQUOT'
          ? `there is no room on the disk of ${folder}. Make room there, ${elsewhere}.`
          : `${messageOf(cause)}.`
  return new MintakaError('STORE_OPEN_FAILED', `The store in ${folder} could not be opened: ${why}`, { cause })
}
