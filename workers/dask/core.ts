import type { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import type { Serialized } from '../../lib/dask/protocol/message.js'
import { ThreadPool } from '../../lib/threads/pool.js'
import { BundleCodes } from './bundle-codes.js'
import { Execution, type Failed, type Result } from './execution.js'
import { gather } from './gather.js'
import type { Instruction, ToScheduler } from './instruction.js'
import type { KeyNames } from './key-names.js'
import type { Level } from './log.js'
import { WorkerMachine } from './machine.js'
import { messageOf } from './messages.js'
import { Traffic } from './metrics.js'
import { PeerValues } from './peer-values.js'
import type { Spec } from './run-spec.js'
import type { Stimulus } from './stimulus.js'
import { ValueStore } from './store.js'
import { foreignStored } from './stored-values.js'
import { TopicEvents } from './topic-events.js'

export type WorkerStimulus = Stimulus<Spec, Result, Failed>
type WorkerInstruction = Instruction<Spec, Result, Failed>

export interface CoreOptions {
  readonly address: string
  /** For people. */
  readonly name: string
  readonly nthreads: number
  readonly resources: Readonly<Record<string, number>>
  /** 0: no limit. */
  readonly memoryLimitBytes: number
  /** A folder of this worker alone. */
  readonly folder: string
  readonly names: KeyNames
  readonly rpc: RpcPool
  readonly log: (level: Level, message: string, ...details: unknown[]) => void
  /** Sends a message to the scheduler. */
  readonly send: (message: unknown) => void
  /** The worker is damaged, and must not go on. */
  readonly onBroken: (error: unknown) => void
}

/** How long a peer that was busy, or did not answer, is left alone. */
const retryPeerMs = 150
/** How long until the scheduler is asked again for what nobody has. */
const findMissingMs = 500

const transferLimits = { transfers: 50, messageBytes: 50e6 }
/** A smaller thread than this cannot run anything. */
const leastHeapMb = 64

/** The machine, and those who do what it says: threads, the store of values, the transfers from peers. */
export class WorkerCore {
  readonly store = new ValueStore()
  readonly traffic = new Traffic()
  readonly machine: WorkerMachine<Spec, Result, Failed>
  readonly pool: ThreadPool
  /** By how much the scheduler's clock is ahead, in seconds. */
  schedulerDelay = 0
  private readonly options: CoreOptions
  private readonly codes: BundleCodes
  private readonly events: TopicEvents
  private readonly execution: Execution
  private readonly peers: PeerValues
  private readonly timers = new Set<NodeJS.Timeout>()
  private waiting: WorkerStimulus[] = []
  private isHandling = false
  private isClosed = false
  private isSearching = false

  constructor(options: CoreOptions) {
    const { address, name, nthreads, resources, memoryLimitBytes, folder, names, rpc, log } = options
    this.options = options
    const incomingBytes = memoryLimitBytes > 0 ? memoryLimitBytes / 10 : Number.POSITIVE_INFINITY
    this.machine = new WorkerMachine({ address, nthreads, resources, limits: { ...transferLimits, incomingBytes } })
    this.pool = new ThreadPool({
      threads: nthreads,
      resourceLimits: heapLimit(memoryLimitBytes),
      warn: (message, fields) => log('warning', message, fields ?? ''),
    })
    this.codes = new BundleCodes(folder, codeKey => this.pool.forget(codeKey))
    this.events = new TopicEvents(options.send)
    this.peers = new PeerValues(rpc, names, address, log)
    const read = (key: string) => this.store.read(key, this.machine.isNeeded(key))
    const around = { pool: this.pool, codes: this.codes, events: this.events, workerName: name, read }
    this.execution = new Execution(around, end => this.handle(end))
  }

  /** How long each run has been going on, in seconds, by key. */
  get durations(): ReadonlyMap<string, number> {
    return this.execution.durations
  }

  /** Something has happened. What is to be done because of it is done before this returns, or begun. */
  handle(stimulus: WorkerStimulus): void {
    this.handleAll([stimulus])
  }

  /** As {@link handle}, of what has happened together. */
  handleAll(stimuli: readonly WorkerStimulus[]): void {
    for (const stimulus of stimuli) this.waiting.push(stimulus)
    if (this.isHandling || this.isClosed) return
    this.isHandling = true
    try {
      while (this.waiting.length > 0) this.turn()
    } catch (error) {
      this.options.onBroken(error)
    } finally {
      this.isHandling = false
    }
    if (this.machine.hasMissing) this.search()
  }

  /** Brings values here, without a word to the scheduler. Gives the keys of those that nobody has. */
  gather(whoHas: ReadonlyMap<string, readonly string[]>): Promise<string[]> {
    return gather(whoHas, {
      isHere: key => this.store.get(key) !== undefined,
      copy: async (from, keys) => {
        const fetched = await this.peers.fetch(from, keys)
        if (fetched.type === 'fetched') this.scatter(fetched.values)
        return fetched.type
      },
    })
  }

  /** Values that are put here by others. */
  scatter(values: ReadonlyMap<string, Serialized>): void {
    this.handle({ type: 'scattered', values: resultsOf(values) })
  }

  /** Ends whatever runs, and the threads. */
  async close(): Promise<void> {
    this.execution.close()
    this.handle({ type: 'close' })
    this.isClosed = true
    for (const timer of this.timers) clearTimeout(timer)
    this.events.flush()
    await this.pool[Symbol.asyncDispose]()
  }

  private turn(): void {
    const stimuli = this.waiting
    this.waiting = []
    for (const stimulus of stimuli) this.notice(stimulus)
    for (const instruction of this.machine.handleAll(stimuli)) this.obey(instruction)
  }

  /** What concerns others than the machine. */
  private notice(stimulus: WorkerStimulus): void {
    if (stimulus.type === 'remove-worker') this.peers.left(stimulus.address)
    if (stimulus.type !== 'free-keys') return
    for (const key of stimulus.keys) {
      const task = this.machine.task(key)
      const isToCome = task?.type === 'waiting' || task?.type === 'ready'
      if (isToCome && task.order.spec.type === 'call') this.events.tell(task.order.spec.topic, ['stopped', key])
    }
  }

  private obey(instruction: WorkerInstruction): void {
    switch (instruction.type) {
      case 'execute':
        return this.execution.begin(instruction.run, instruction.key, instruction.order.spec)
      case 'stop':
        return this.execution.stop(instruction.run)
      case 'fetch':
        return void this.fetch(instruction.from, instruction.keys)
      case 'retry-peer-later':
        return this.after(retryPeerMs, () => this.handle({ type: 'retry-peer', address: instruction.address }))
      case 'keep':
        return this.store.keep(instruction.key, instruction.value.stored, instruction.value.value)
      case 'drop':
        this.codes.forget(instruction.key)
        return this.store.drop(instruction.key)
      default:
        return this.tell(instruction)
    }
  }

  private tell(said: ToScheduler<Failed>): void {
    const { names, send } = this.options
    send(messageOf(said, { names, stored: key => this.store.get(key), schedulerDelay: this.schedulerDelay }))
  }

  private async fetch(from: string, keys: readonly string[]): Promise<void> {
    const fetched = await this.peers.fetch(from, keys)
    if (fetched.type !== 'fetched') return this.handle({ type: fetched.type, from })
    this.traffic.incomingTotal += 1
    this.handle({ type: 'fetched', from, values: resultsOf(fetched.values) })
  }

  private search(): void {
    if (this.isSearching) return
    this.isSearching = true
    this.after(findMissingMs, () => {
      this.isSearching = false
      this.handle({ type: 'find-missing' })
    })
  }

  private after(ms: number, callback: () => void): void {
    if (this.isClosed) return
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      callback()
    }, ms)
    this.timers.add(timer)
  }
}

function resultsOf(values: ReadonlyMap<string, Serialized>): Map<string, Result> {
  return new Map([...values].map(([key, serialized]) => [key, { stored: foreignStored(serialized) }]))
}

// A thread that outgrows the worker shall end alone, with an error that says so, before the system ends the process.
function heapLimit(memoryLimitBytes: number) {
  if (memoryLimitBytes === 0) return undefined
  return { maxOldGenerationSizeMb: Math.max(leastHeapMb, Math.floor(memoryLimitBytes / 2 ** 20)) }
}
