import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMintakaError, MintakaError } from '../core/errors.js'
import type { LogEntry } from '../core/logger.js'
import { check, checkOptions } from '../core/options.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isSettled, messageOf, type State } from '../core/state.js'
import {
  type Ack,
  type CacheEntry,
  type Command,
  type FlowRunFilter,
  fits,
  type Store,
  type StoredRun,
  type StoreSurroundings,
} from '../core/store.js'
import { callRecord } from '../core/task-calls.js'
import { Batch } from './batch.js'
import { addToCatalogue, type CataloguedFlow, catalogued, readCatalogue } from './catalogue.js'
import { endedName, endRunsOfTheDead } from './crashed.js'
import { createFile, namesIn, readIfThere, replaceFile, sha256, sweepTemporaries, temporaryName } from './files.js'
import { Journal, refused } from './journal.js'
import { type FlowEntry, JournalReader } from './journal-reader.js'
import {
  cacheEntryOf,
  cacheLine,
  closedLine,
  flowRunLine,
  format,
  headerLine,
  logLine,
  stateLine,
  taskRunLine,
} from './lines.js'
import { thisProcess } from './process-id.js'

export interface JsonStoreOptions {
  /** Default: the environment variable MINTAKA_HOME, else `.mintaka` in the home folder. Made when the store is opened. */
  readonly folder?: string | undefined
  /**
   * What an acknowledged state survives: the death of the process (the default), or also the loss of power, at the price
   * of waiting for the disk.
   */
  readonly durability?: 'process' | 'power' | undefined
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
  readonly #readers = new Map<string, JournalReader>()
  #reading: Promise<unknown> = Promise.resolve()
  readonly #flows = new Map<string, CataloguedFlow>()
  #posted = 0

  /** Throws INVALID_OPTION. */
  constructor(options: JsonStoreOptions = {}) {
    checkOptions('JsonStore', options, { folder: check.string, durability: check.oneOf('process', 'power') })
    this.#options = options
  }

  /** Where it keeps what it keeps. */
  get folder(): string {
    return this.#folder || resolve(this.#options.folder ?? (process.env['MINTAKA_HOME'] || join(homedir(), '.mintaka')))
  }

  async open(surroundings: StoreSurroundings): Promise<void> {
    this.#folder = this.folder
    this.#surroundings = surroundings
    try {
      if (surroundings.readOnly) readCatalogue(this.#path('catalogue.json'))
      else await this.#openForWriting(surroundings)
    } catch (error) {
      this.#surroundings = undefined
      throw isMintakaError(error) ? error : openFailed(this.#folder, error)
    }
  }

  async close(): Promise<void> {
    const journal = this.#journal
    const surroundings = this.#surroundings
    this.#journal = undefined
    this.#batch = undefined
    if (!journal || !surroundings) return
    try {
      await journal.close(seq => closedLine(seq, Date.now()))
    } finally {
      this.#closeFolder(surroundings)
    }
  }

  createFlowRun(run: FlowRun): Ack {
    const journal = this.#journal
    if (!journal) return refused(notOpen)
    this.#flows.set(run.flowName, catalogued(run))
    journal.append(flowRunLine(run, journal.next(), this.#codec))
    return journal.acknowledged()
  }

  createTaskRun(run: TaskRun): Ack {
    const journal = this.#journal
    if (!journal) return refused(notOpen)
    const call = callRecord(run)
    if (!(call && this.#batch?.create(call))) journal.append(taskRunLine(run, journal.next(), this.#codec))
    return isSettled(run.state) ? journal.acknowledged() : undefined
  }

  appendState(run: Run, state: State, options?: { readonly persist?: boolean | undefined }): Ack {
    const journal = this.#journal
    if (!journal) return refused(notOpen)
    const persist = options?.persist !== false
    const call = callRecord(run)
    if (!(call && this.#batch?.enter(call, state, persist)))
      journal.append(stateLine(run, journal.next(), state, this.#codec, persist))
    // The others need no write of their own: they only have to come first in the file.
    return isSettled(state) ? journal.acknowledged() : undefined
  }

  appendLog(entry: LogEntry): void {
    this.#journal?.append(logLine(entry, this.#journal.next(), this.#codec))
  }

  async listFlowRuns(filter: FlowRunFilter = {}): Promise<StoredRun<FlowRun>[]> {
    await this.#refresh()
    const found: FlowEntry[] = []
    for (const { flowRuns } of this.#readers.values())
      for (const entry of flowRuns.values()) if (fits(entry.run, filter)) found.push(entry)
    found.sort((a, b) => b.run.created - a.run.created || b.seq - a.seq)
    return this.#readFlowRuns(found.slice(0, filter.limit))
  }

  async getFlowRun(id: string): Promise<StoredRun<FlowRun> | undefined> {
    const entry = await this.#find(id)
    return entry && (await this.#readFlowRuns([entry]))[0]
  }

  async listTaskRuns(flowRunId: string): Promise<StoredRun<TaskRun>[]> {
    const entry = await this.#find(flowRunId)
    return entry ? entry.journal.readTaskRuns(entry, this.#codec) : []
  }

  async getTaskRun(id: string): Promise<StoredRun<TaskRun> | undefined> {
    await this.#refresh()
    const newestFirst = [...this.#readers.values()].sort((a, b) => (b.header?.created ?? 0) - (a.header?.created ?? 0))
    for (const reader of newestFirst) {
      const found = await reader.readTaskRun(id, this.#codec)
      if (found) return found
    }
    return undefined
  }

  async listLogs(flowRunId: string): Promise<LogEntry[]> {
    const entry = await this.#find(flowRunId)
    return entry ? entry.journal.readLogs(entry, this.#codec) : []
  }

  getCached(key: string): CacheEntry | undefined {
    const text = readIfThere(this.#path('cache', `${sha256(key)}.json`))
    return text === undefined ? undefined : cacheEntryOf(text, this.#codec)
  }

  putCached(key: string, entry: CacheEntry): void {
    this.#writing(`The cache entry of run ${entry.runId}`, () => {
      const line = cacheLine(key, entry, this.#codec)
      const path = this.#path('cache', `${sha256(key)}.json`)
      if (typeof line === 'string') replaceFile(path, line, this.#temporary(), this.#options.durability === 'power')
      else this.#opened.warn(`The result of run ${entry.runId} is not in the cache: ${line.notPersisted}`)
    })
  }

  async claim(key: string, value: string): Promise<string> {
    const path = this.#path('claims', `${sha256(key)}.json`)
    const text = `${JSON.stringify({ key, value })}\n`
    const isFirst = this.#writing(`The claim on '${key}'`, () => createFile(path, text, this.#temporary()))
    return isFirst ? value : claimedValue(path)
  }

  async post(owner: string, command: Command): Promise<void> {
    this.#writing(`A command to ${owner}`, () => {
      const inbox = this.#inbox(owner)
      mkdirSync(inbox, { recursive: true })
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
    for (const folder of ['journals', 'claims', 'inbox', 'cache', 'tmp']) {
      mkdirSync(this.#path(folder), { recursive: true })
      accessSync(this.#path(folder), constants.R_OK | constants.W_OK | constants.X_OK)
    }
    const path = this.#path('catalogue.json')
    const { catalogue, damaged } = readCatalogue(path)
    sweepTemporaries(this.#path('tmp'))
    await endRunsOfTheDead(this.#path('journals'), surroundings, () => this.#temporary())
    if (!catalogue) {
      if (damaged) surroundings.warn(`The catalogue ${path} was damaged. It has been rebuilt from the journals.`)
      addToCatalogue(path, await this.#flowsInJournals(), () => this.#temporary())
    }
    this.#journal = this.#newJournal(surroundings)
    this.#batch = new Batch(this.#journal, surroundings.codec)
  }

  #newJournal({ owner, warn }: StoreSurroundings): Journal {
    const name = fileName(owner)
    return new Journal({
      file: attempt => this.#path('journals', attempt === 0 ? `${name}.ndjson` : `${name}.${attempt + 1}.ndjson`),
      header: headerLine({ format, owner, process: thisProcess(), created: Date.now() }),
      durability: this.#options.durability ?? 'process',
      warn,
    })
  }

  /** The runs are safe by now, and the rest can be rebuilt: what fails here is told and no more. */
  #closeFolder({ owner, warn }: StoreSurroundings): void {
    try {
      if (this.#flows.size > 0) addToCatalogue(this.#path('catalogue.json'), this.#flows, () => this.#temporary())
      this.#flows.clear()
    } catch (error) {
      warn(`The catalogue of ${this.#folder} could not be written: ${messageOf(error)}`)
    }
    try {
      rmdirSync(this.#inbox(owner))
    } catch {
      // There is none, nearly always; or somebody has just posted something.
    }
  }

  async #flowsInJournals(): Promise<Map<string, CataloguedFlow>> {
    await this.#refresh()
    const flows = new Map<string, CataloguedFlow>()
    for (const { flowRuns } of this.#readers.values())
      for (const { run } of flowRuns.values())
        if (run.created >= (flows.get(run.flowName)?.lastRun ?? 0)) flows.set(run.flowName, catalogued(run))
    return flows
  }

  async #find(flowRunId: string): Promise<FlowEntry | undefined> {
    await this.#refresh()
    for (const { flowRuns } of this.#readers.values()) {
      const entry = flowRuns.get(flowRunId)
      if (entry) return entry
    }
    return undefined
  }

  async #readFlowRuns(entries: readonly FlowEntry[]): Promise<StoredRun<FlowRun>[]> {
    const byJournal = new Map<JournalReader, FlowEntry[]>()
    for (const entry of entries) {
      const others = byJournal.get(entry.journal)
      if (others) others.push(entry)
      else byJournal.set(entry.journal, [entry])
    }
    const stored = new Map<FlowEntry, StoredRun<FlowRun>>()
    for (const [journal, its] of byJournal)
      for (const [index, run] of (await journal.readFlowRuns(its, this.#codec)).entries()) stored.set(its[index]!, run)
    return entries.map(entry => stored.get(entry)!)
  }

  /** Writes what waits, and reads what has been added to any journal since. One at a time: readers remember offsets. */
  #refresh(): Promise<void> {
    this.#journal?.flush()
    const refreshed = this.#reading.then(() => this.#readJournals())
    this.#reading = refreshed.catch(() => {})
    return refreshed
  }

  async #readJournals(): Promise<void> {
    const folder = this.#path('journals')
    // A journal that somebody has ended by the time of this list has got its last line, which is read after it.
    const names = new Set(namesIn(folder))
    for (const name of names) {
      if (!name.endsWith('.ndjson')) continue
      let reader = this.#readers.get(name)
      if (!reader) this.#readers.set(name, (reader = new JournalReader(join(folder, name))))
      if (reader.finished) continue
      const damaged = reader.damaged
      await reader.refresh()
      if (reader.damaged > damaged)
        this.#opened.warn(`${reader.damaged} lines of ${reader.path} are damaged and left out.`)
      if (names.has(endedName(name))) await reader.readEnd(join(folder, endedName(name)))
    }
  }

  #writing<T>(what: string, write: () => T): T {
    if (!this.#journal) throw new MintakaError('STORE_WRITE_FAILED', `${what} was not written: ${notOpen}.`)
    try {
      return write()
    } catch (cause) {
      const message = `${what} could not be written in ${this.#folder}: ${messageOf(cause)}.`
      throw new MintakaError('STORE_WRITE_FAILED', message, { cause })
    }
  }

  get #opened(): StoreSurroundings {
    if (this.#surroundings) return this.#surroundings
    throw new MintakaError('STORE_OPEN_FAILED', 'The store has not been opened: call open() first.')
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
const pad = (number: number) => String(number).padStart(16, '0')

/** An owner as a name of a file: itself, nearly always. */
function fileName(owner: string): string {
  return /^[\w-]+$/.test(owner) ? owner : sha256(owner)
}

/** What stands in a claim. Where claims are made in two steps the second one may be a moment away. */
async function claimedValue(path: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      return (JSON.parse(readFileSync(path, 'utf8')) as { value: string }).value
    } catch {
      await sleep(10)
    }
  }
  throw new MintakaError('STORE_WRITE_FAILED', `The claim ${path} is damaged. Remove it to free what it stands for.`)
}

function openFailed(folder: string, cause: unknown): MintakaError {
  const { code, path = folder } = cause as NodeJS.ErrnoException
  const elsewhere = 'or set MINTAKA_HOME (or the folder of the JsonStore) to another folder'
  const why =
    code === 'EEXIST' || code === 'ENOTDIR'
      ? `${path} is in the way: it is not a folder. Move it away, ${elsewhere}.`
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? `there is no permission to use ${path}. Give it to this user, ${elsewhere}.`
        : `${messageOf(cause)}.`
  return new MintakaError('STORE_OPEN_FAILED', `The store in ${folder} could not be opened: ${why}`, { cause })
}
