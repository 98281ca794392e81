import { Gathering } from './gathering.js'
import type { Instruction } from './instruction.js'
import { Keys } from './keys.js'
import type { TransferLimits } from './peers.js'
import { Runs } from './runs.js'
import type { Stimulus, Whereabouts } from './stimulus.js'
import type { StoryLine } from './story.js'
import { isOrdered, type Order, type Ordered, type Task } from './task.js'

export interface MachineOptions {
  /** The address of this worker: it never asks itself. */
  readonly address: string
  /** How many tasks run at once. */
  readonly nthreads: number
  /** What the worker offers. */
  readonly resources: Readonly<Record<string, number>>
  readonly limits: TransferLimits
}

/**
 * What a Dask worker decides: which task begins when, which value is asked of whom, and what the scheduler is told.
 * Pure: it has no sockets, no clock, and looks into no value. Stimuli go in by one door, `handle`, and what is to be done
 * because of them comes out; whoever does it says with another stimulus what became of it.
 *
 * Each key is in one state (`task.ts`). A run is a thing of its own: that of a key that was freed occupies its thread
 * until it has stopped, and whatever comes of it is not heard; an order for the same key waits for its end.
 */
export class WorkerMachine<Spec, Value, Failure> {
  readonly #keys: Keys<Spec>
  readonly #runs: Runs<Spec>
  readonly #gathering: Gathering
  #mayStart = true
  #isClosed = false
  #out: Instruction<Spec, Value, Failure>[] = []

  constructor({ address, nthreads, resources, limits }: MachineOptions) {
    this.#keys = new Keys(limits)
    this.#runs = new Runs(nthreads, resources)
    this.#gathering = new Gathering(this.#keys, address, instruction => this.#tell(instruction))
  }

  /**
   * Takes what has happened, in order, and gives what is to be done. What comes together should be given together: then
   * nothing begins that the next stimulus forbids. Throws if something has happened that cannot be: the machine is of no
   * use then.
   */
  handle(...stimuli: readonly Stimulus<Spec, Value, Failure>[]): Instruction<Spec, Value, Failure>[] {
    return this.handleAll(stimuli)
  }

  /** As {@link handle}, of any number. */
  handleAll(stimuli: readonly Stimulus<Spec, Value, Failure>[]): Instruction<Spec, Value, Failure>[] {
    const out: Instruction<Spec, Value, Failure>[] = (this.#out = [])
    for (const stimulus of stimuli) {
      this.#keys.story.because(stimulus.type)
      this.#take(stimulus)
    }
    this.#begin()
    return out
  }

  /** The state of a key; `undefined`: it is not known. */
  task(key: string): Task<Spec> | undefined {
    return this.#keys.get(key)
  }

  /** Whether tasks that have yet to begin need its value. */
  isNeeded(key: string): boolean {
    return this.#keys.needing(key) !== undefined
  }

  /** How many keys are in each state that any is in. */
  get counts(): Readonly<Record<string, number>> {
    return this.#keys.counts
  }

  /** The runs that are wanted. */
  get executing(): { readonly run: number; readonly key: string }[] {
    return [...this.#runs.all].filter(([run, { key }]) => this.#isOf(run, key)).map(([run, { key }]) => ({ run, key }))
  }

  /** How many threads are occupied, by runs that are wanted or not. */
  get threadsTaken(): number {
    return this.#runs.threadsTaken
  }

  /** How much of each resource is taken. */
  get resourcesTaken(): Readonly<Record<string, number>> {
    return this.#runs.stock.taken
  }

  /** How many transfers are going on, and how much they are said to bring. */
  get incoming(): { readonly transfers: number; readonly nbytes: number } {
    return this.#keys.peers.load
  }

  /** Whether `find-missing` would find anything. */
  get hasMissing(): boolean {
    return this.#keys.count('missing') > 0
  }

  /** What happened of late to these keys, or to all. */
  story(keys?: readonly string[]): StoryLine[] {
    return this.#keys.story.of(keys)
  }

  #take(stimulus: Stimulus<Spec, Value, Failure>): void {
    switch (stimulus.type) {
      case 'compute-task':
        return this.#compute(stimulus.key, stimulus.order, stimulus.whoHas)
      case 'free-keys':
        for (const key of stimulus.keys) this.#free(key)
        return
      case 'remove-replicas':
        return this.#removeReplicas(stimulus.keys)
      case 'acquire-replicas':
        return this.#acquireReplicas(stimulus.whoHas)
      case 'steal-request':
        return this.#steal(stimulus.key, stimulus.stimulusId)
      case 'cancel-compute':
        return this.#cancel(stimulus.key)
      case 'refresh-who-has':
        for (const [key, addresses] of stimulus.whoHas) this.#gathering.refresh(key, addresses)
        return
      case 'remove-worker':
        return this.#gathering.forgetPeer(stimulus.address)
      case 'executed':
        return this.#executed(stimulus.run, stimulus.value)
      case 'failed':
        return this.#failed(stimulus.run, stimulus.failure)
      case 'stopped':
        return this.#stopped(stimulus.run)
      case 'fetched':
        return this.#fetched(stimulus.from, stimulus.values)
      case 'busy':
        return this.#gathering.isBusy(stimulus.from)
      case 'unreachable':
        return this.#gathering.isUnreachable(stimulus.from)
      case 'scattered':
        for (const [key, value] of stimulus.values) this.#scattered(key, value)
        return
      case 'may-start':
        this.#mayStart = stimulus.mayStart
        return
      case 'retry-peer':
        return this.#keys.peers.wake(stimulus.address)
      case 'find-missing':
        return this.#gathering.askAgain()
      case 'close':
        return this.#close()
    }
  }

  #begin(): void {
    if (!this.#mayStart || this.#isClosed) return
    while (this.#keys.ready.size > 0) {
      const key = this.#keys.ready.next(this.#runs.stock, this.#runs.hasThread)
      if (key === undefined) break
      this.#execute(key, (this.#keys.get(key) as Ordered<Spec>).order)
    }
    this.#gathering.begin()
  }

  #execute(key: string, order: Order<Spec>): void {
    const run = this.#runs.begin(key, order)
    this.#keys.to(key, { type: 'executing', order, run })
    this.#tell({ type: 'execute', key, run, order })
    // It is given the values that it needs as it begins.
    this.#keys.unneed(key, order)
  }

  // What the scheduler orders

  #compute(key: string, order: Order<Spec>, whoHas: Whereabouts): void {
    const task = this.#keys.get(key)
    if (task?.type === 'memory') return this.#tell({ type: 'task-finished', key, runId: order.runId })
    if (task?.type === 'executing') {
      return this.#keys.to(key, { ...task, order: { ...task.order, runId: order.runId } })
    }
    if (isOrdered(task)) this.#forget(key)
    const missing = new Set(order.dependencies.filter(dependency => this.#keys.get(dependency)?.type !== 'memory'))
    this.#keys.to(key, { type: 'waiting', order, missing })
    this.#keys.need(key, order)
    for (const dependency of missing) {
      const { addresses, nbytes } = whoHas.get(dependency) ?? { addresses: [], nbytes: 0 }
      this.#gathering.want(dependency, addresses, { nbytes, priority: order.priority, isReplica: false })
    }
    this.#check(key)
  }

  #free(key: string): void {
    const task = this.#keys.get(key)
    if (task?.type === 'memory') this.#release(key)
    else if (isOrdered(task) || !this.#keys.needing(key)) this.#forget(key)
    else this.#gathering.refresh(key, [])
  }

  #cancel(key: string): void {
    const task = this.#keys.get(key)
    if (task?.type === 'waiting' || task?.type === 'ready') this.#forget(key)
  }

  #steal(key: string, stimulusId: string): void {
    this.#tell({ type: 'steal-response', key, state: stealState(this.#keys.get(key)), stimulusId })
    this.#cancel(key)
  }

  #acquireReplicas(whoHas: Whereabouts): void {
    // After tasks of ordinary priority, before those that were given a low one.
    const priority = [1]
    for (const [key, { addresses, nbytes }] of whoHas) {
      this.#gathering.want(key, addresses, { nbytes, priority, isReplica: true })
    }
  }

  #removeReplicas(keys: readonly string[]): void {
    const inMemory = keys.filter(key => this.#keys.get(key)?.type === 'memory')
    const kept = inMemory.filter(key => this.#keys.needing(key))
    for (const key of inMemory) if (!this.#keys.needing(key)) this.#release(key)
    if (kept.length > 0) this.#tell({ type: 'add-keys', keys: kept })
  }

  // How runs end

  #executed(run: number, value: Value): void {
    const key = this.#runEnded(run)
    if (key === undefined) return
    const { order } = this.#keys.get(key) as Ordered<Spec>
    this.#arrived(key, value)
    this.#tell({ type: 'task-finished', key, runId: order.runId })
  }

  #failed(run: number, failure: Failure): void {
    const key = this.#runEnded(run)
    if (key === undefined) return
    const { order } = this.#keys.get(key) as Ordered<Spec>
    this.#tell({ type: 'task-erred', key, runId: order.runId, failure })
    this.#forget(key)
  }

  #stopped(run: number): void {
    const key = this.#runEnded(run)
    if (key === undefined) return
    this.#tell({ type: 'reschedule', key })
    this.#forget(key)
  }

  /** Gives the key of the run, if it is wanted. */
  #runEnded(run: number): string | undefined {
    const { key } = this.#runs.ended(run)
    if (this.#isOf(run, key)) return key
    this.#check(key)
    return undefined
  }

  #isOf(run: number, key: string): boolean {
    const task = this.#keys.get(key)
    return task?.type === 'executing' && task.run === run
  }

  // Values that come and go

  #fetched(from: string, values: ReadonlyMap<string, Value>): void {
    const arrived: string[] = []
    for (const key of this.#keys.peers.ended(from)) {
      const value = values.get(key)
      if (value === undefined) this.#gathering.isWithout(key, from)
      // Also one that has been given up and wanted again meanwhile.
      else if (this.#keys.wanted(key)) {
        arrived.push(key)
        this.#arrived(key, value)
      }
    }
    if (arrived.length > 0) this.#tell({ type: 'add-keys', keys: arrived })
    this.#gathering.ask()
  }

  // The scheduler is not told: it does not know the key until the answer to whoever has put it here.
  #scattered(key: string, value: Value): void {
    const task = this.#keys.get(key)
    if (task?.type === 'memory') return
    if (task?.type === 'executing') this.#tell({ type: 'stop', run: task.run })
    if (isOrdered(task)) this.#keys.unneed(key, task.order)
    this.#arrived(key, value)
    if (isOrdered(task)) this.#tell({ type: 'task-finished', key, runId: task.order.runId })
  }

  #arrived(key: string, value: Value): void {
    this.#keys.to(key, { type: 'memory' })
    this.#tell({ type: 'keep', key, value })
    for (const needing of this.#keys.needing(key) ?? []) {
      const task = this.#keys.get(needing)
      if (task?.type === 'waiting' && task.missing.delete(key)) this.#check(needing)
    }
  }

  #release(key: string): void {
    this.#tell({ type: 'drop', key })
    this.#tell({ type: 'release-worker-data', key })
    this.#keys.to(key, undefined)
    this.#missed(key)
  }

  /** It is not here any more, and not on its way. Tasks that have yet to begin and need it wait for it again. */
  #missed(key: string): void {
    for (const needing of this.#keys.needing(key) ?? []) {
      const { order } = this.#keys.get(needing) as Ordered<Spec>
      this.#gathering.want(key, [], { nbytes: 0, priority: order.priority, isReplica: false })
      this.#recede(needing, key)
    }
  }

  #recede(key: string, dependency: string): void {
    const task = this.#keys.get(key)
    if (task?.type === 'waiting') task.missing.add(dependency)
    if (task?.type === 'ready') {
      this.#keys.to(key, { type: 'waiting', order: task.order, missing: new Set([dependency]) })
    }
  }

  /** A task that waits is ready when all it needs is here, and no earlier run of it goes on. */
  #check(key: string): void {
    const task = this.#keys.get(key)
    if (task?.type !== 'waiting' || task.missing.size > 0 || this.#runs.isRunning(key)) return
    this.#keys.to(key, { type: 'ready', order: task.order })
  }

  /** The key is not known any more, and nothing is wanted for its sake. If it runs, it is stopped. */
  #forget(key: string): void {
    const task = this.#keys.get(key)
    this.#keys.to(key, undefined)
    if (!isOrdered(task)) return
    if (task.type === 'executing' && this.#runs.all.has(task.run)) this.#tell({ type: 'stop', run: task.run })
    this.#keys.unneed(key, task.order)
    this.#missed(key)
  }

  #close(): void {
    this.#isClosed = true
    for (const run of this.#runs.all.keys()) this.#tell({ type: 'stop', run })
  }

  #tell(instruction: Instruction<Spec, Value, Failure>): void {
    this.#out.push(instruction)
  }
}

// In words that the scheduler knows. What is to come from a peer is not to be stolen: it was never ordered here.
function stealState(task: Task<unknown> | undefined) {
  if (task?.type === 'memory') return task.type
  if (!isOrdered(task)) return null
  return task.type === 'ready' && Object.keys(task.order.resources).length > 0 ? 'constrained' : task.type
}
