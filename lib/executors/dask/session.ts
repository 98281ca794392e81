import { randomBytes } from 'node:crypto'
import { MintakaError } from '../../core/errors.js'
import type { Call, ExecutorSession, ExecutorSurroundings, Outcome } from '../../core/executor.js'
import type { HeldResult } from '../../core/held-result.js'
import type { DaskClient } from '../../dask/client/client.js'
import { type GraphTask, taskKey } from '../../dask/client/graph.js'
import { encodePayload } from '../../dask/payload.js'
import { decodeValue, Undecodable } from '../../dask/values/decode.js'
import { toWire } from '../../values/wire.js'
import { nodeArguments, type Places, pythonArguments } from './arguments.js'
import type { ClusterResult } from './cluster-result.js'
import { CodeKeys, type PreparedCode } from './code-keys.js'
import type { Entry, Sendable } from './entry.js'
import { nodeAnnotations, pythonAnnotations } from './placement.js'
import { Resource } from './resource.js'
import { Sizes } from './sizes.js'
import { Submission, type SubmissionHome } from './submission.js'
import { Unplaced } from './unplaced.js'
import { hear } from './worker-events.js'

/** A client, and what ends it, with the cluster that was made for it. */
export interface Connection {
  readonly client: DaskClient
  /** Whether the cluster has all the workers that it will ever have: none will come, none is being started again. */
  isWhole(): boolean
  close(): Promise<void>
}

export interface SessionOptions {
  readonly connection: Connection
  /** Makes a new cluster after the scheduler was lost. */
  readonly reconnect: (() => Promise<Connection>) | undefined
  readonly cancelGraceMs: number | undefined
  readonly surroundings: ExecutorSurroundings
}

/** A result that is no larger comes with the message that its task has finished. */
export const inlineBytes = 64 * 1024
const defaultCancelGraceMs = 3_000

/**
 * The calls of one flow run on a Dask cluster. Each has a key there; what it needs of others is an edge between keys. What
 * a session has left on the cluster is released when it closes.
 */
export class DaskSession implements ExecutorSession, SubmissionHome, Places {
  readonly where = 'elsewhere'
  readonly joins = true
  readonly cancelGraceMs: number
  readonly #options: SessionOptions
  readonly #log: ExecutorSurroundings['log']
  /** Makes its keys unique on the cluster, and names the topic of its workers' events. */
  readonly #id = randomBytes(4).toString('hex')
  readonly #topic = `mintaka-0${this.#id}`
  readonly #codes = new CodeKeys(this.#id)
  readonly #submissions = new WeakMap<Call, Submission>()
  /** Those that have not ended, by key. */
  readonly #open = new Map<string, Submission>()
  readonly #heldBy = new WeakMap<HeldResult, Submission>()
  readonly #shared = new WeakMap<object, Resource>()
  readonly #warned = new Set<PreparedCode>()
  /** What the scheduler has been told of and still wants. */
  #onCluster = new Set<Entry>()
  #connection: Connection | undefined
  #reconnecting: Promise<void> | undefined
  /** The end of what belonged to a scheduler that was lost. */
  #closing: Promise<void> | undefined
  #lost: MintakaError | undefined
  #sizes: Sizes
  readonly #unplaced: Unplaced
  #cancelling: string[] = []
  #releasing: string[] = []
  #shares = 0
  #isClosed = false
  #whenAllEnded: (() => void) | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#log = options.surroundings.log
    this.cancelGraceMs = options.cancelGraceMs ?? defaultCancelGraceMs
    this.#unplaced = new Unplaced(this.#log)
    this.#sizes = this.#use(options.connection)
  }

  #use(connection: Connection): Sizes {
    const { client } = connection
    this.#connection = connection
    client.subscribe(this.#topic, event => hear(event, this.#open))
    this.#unplaced.watch(connection, () => this.#open.values())
    this.#sizes = new Sizes(client)
    return this.#sizes
  }

  submit(call: Call): Promise<Outcome> | undefined {
    if (this.#isClosed) return Promise.reject(closedError(call))
    const key = taskKey(call.task.name, `${this.#id}-${call.id}-${call.attempt}`)
    const submission = new Submission(key, call, this)
    this.#submissions.set(call, submission)
    this.#open.set(key, submission)
    call.whenStopped(submission)
    this.#prepare(submission)
    return undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#open.size > 0) {
      const ended = new Promise<void>(resolve => (this.#whenAllEnded = resolve))
      for (const submission of [...this.#open.values()]) submission.onStop()
      await ended
    }
    // A cluster that is being made, or taken down, belongs to the flow run as well.
    await this.#reconnecting
    await this.#closing
    this.#unplaced.end()
    this.#lost ??= new MintakaError('EXECUTOR_CLOSED', 'The flow run that it belonged to has ended.')
    this.#connection?.client.release([...this.#onCluster].map(({ key }) => key))
    await this.#connection?.close()
  }

  // --- sending

  /** Sends a call when its code is there and what it comes after has been sent. */
  #prepare(submission: Submission): void {
    if (submission.place !== 'preparing') return
    const unsent = submission.call.upstream?.map(call => this.#submissions.get(call)).find(isPreparing)
    if (unsent) return unsent.whenPrepared(() => this.#prepare(submission))
    const { source } = submission.call.task
    if (source.type === 'python') return this.#preparePython(submission, source.target)
    const prepared = this.#codes.of(submission.call.task)
    if (!(prepared instanceof Promise)) return this.#prepareNode(submission, prepared)
    prepared.then(
      () => this.#prepare(submission),
      error => submission.failed(error),
    )
  }

  #prepareNode(submission: Submission, code: PreparedCode): void {
    this.#warnOnce(code)
    const { call } = submission
    this.#send(submission, () => {
      const { wire, deps } = nodeArguments(call, this)
      const { id, name, attempt, flowRunId, tags, task } = call
      const payload = encodePayload({
        type: 'call',
        ...{ id, name, attempt, flowRunId, tags, taskName: task.name },
        code: code.ref,
        args: wire,
        deps: deps.map(({ key }) => key),
        topic: this.#topic,
        inlineBytes,
      })
      const upstream = [...new Set([...(code.resource ? [code.resource] : []), ...deps, ...this.#upstreamOf(call)])]
      const task_: GraphTask = {
        key: submission.key,
        call: { type: 'node', payload, deps: upstream.map(({ key }) => key) },
      }
      return { task: task_, annotations: nodeAnnotations(call), upstream }
    })
  }

  #preparePython(submission: Submission, target: string): void {
    const { call } = submission
    const client = this.#connection?.client
    if (!client) return this.#sendLater(submission)
    if (client.lostReason) return this.#lostBefore(submission, client.lostReason)
    pythonAnnotations(call, client).then(
      annotations =>
        this.#send(submission, () => {
          const { pickle, deps } = pythonArguments(call, target, this)
          const upstream = [...deps, ...this.#upstreamOf(call).filter(entry => !deps.includes(entry))]
          const deps_ = upstream.map(({ key }) => key)
          return { task: { key: submission.key, call: { type: 'python', pickle, deps: deps_ } }, annotations, upstream }
        }),
      error => {
        if (client.lostReason) this.#lostBefore(submission, client.lostReason)
        else submission.failed(error)
      },
    )
  }

  #send(submission: Submission, make: () => Sendable): void {
    if (submission.place !== 'preparing') return
    // The scheduler knows nothing of what has failed or was cancelled here, and would cancel all of the graph.
    const { call } = submission
    const ended = call.upstream?.find(other => this.#submissions.get(other)?.isWithoutResult)
    if (ended) return queueMicrotask(() => submission.failed(unreachable(call, ended)))
    if (this.#lost) return queueMicrotask(() => submission.giveUp(this.#lost))
    if (!this.#connection) return this.#sendLater(submission)
    const { client } = this.#connection
    if (client.lostReason) return this.#lostBefore(submission, client.lostReason)
    try {
      submission.sendable = make()
      this.#put(submission, client)
      submission.sent()
    } catch (error) {
      queueMicrotask(() => submission.failed(error))
    }
  }

  // Where nothing was open, nobody has been told yet that the scheduler is gone.
  #lostBefore(submission: Submission, reason: MintakaError): void {
    if (this.lost(reason)) this.#sendLater(submission)
    else queueMicrotask(() => submission.giveUp(reason))
  }

  // While a new cluster is being made.
  #sendLater(submission: Submission): void {
    void this.#reconnecting?.then(() => this.#prepare(submission))
  }

  /** Tells the scheduler of an entry, after what it comes after. */
  #put(entry: Entry, client: DaskClient): void {
    if (this.#onCluster.has(entry) || !entry.sendable) return
    for (const other of entry.sendable.upstream) this.#put(other, client)
    this.#onCluster.add(entry)
    client.submit(entry.sendable.task, entry.sendable.annotations, entry)
    if (entry instanceof Resource && !this.#options.reconnect) entry.sendable = undefined // it is not sent again
  }

  #upstreamOf(call: Call): Entry[] {
    const submissions = call.upstream?.map(call => this.#submissions.get(call)) ?? []
    return submissions.filter(submission => submission !== undefined && submission.place !== 'over') as Entry[]
  }

  #warnOnce(code: PreparedCode): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    for (const warning of code.warnings) this.#log.warn(warning)
  }

  // --- what arguments stand for

  resultOf(call: Call): Entry | { readonly value: unknown } {
    const submission = this.#submissions.get(call)
    if (!submission) throw new MintakaError('EXECUTOR_FAILED', `'${call.name}' was never submitted here.`)
    return submission.result ?? submission
  }

  heldBy(result: HeldResult): Entry | undefined {
    return this.#heldBy.get(result)
  }

  share(value: object): Entry {
    let resource = this.#shared.get(value)
    if (!resource) {
      resource = new Resource('data', `${this.#id}-${this.#shares++}`, { type: 'data', value: toWire(value) })
      this.#shared.set(value, resource)
    }
    return resource
  }

  // --- what submissions ask

  cancel({ key }: Submission): void {
    if (this.#cancelling.push(key) > 1) return
    setImmediate(() => this.#connection?.client.cancel(this.#cancelling.splice(0)))
  }

  ended(submission: Submission, outcome: Outcome): void {
    this.#open.delete(submission.key)
    if (submission.place === 'held' && outcome.type === 'returned') {
      this.#heldBy.set(outcome.value as HeldResult, submission)
    } else this.#release(submission)
    // Needed to submit it again, if that may be wanted.
    if (!this.#options.reconnect) submission.sendable = undefined
    submission.call.ended(outcome)
    if (this.#open.size === 0) this.#whenAllEnded?.()
  }

  async look(submission: Submission): Promise<{ nbytes: number | undefined; value?: unknown }> {
    const client = this.#connection?.client
    try {
      return await this.#sizes.look(submission.key, inlineBytes)
    } catch (error) {
      // That the scheduler is gone is told to the submission itself, which may be submitted again.
      if (client !== this.#connection?.client || client?.lostReason) return new Promise(() => {})
      throw error
    }
  }

  /** A value that JavaScript cannot read is fetched as what stands for it. */
  async fetch(submission: Submission, result: ClusterResult): Promise<unknown> {
    await this.#reconnecting
    if (this.#lost || !this.#connection) throw gone(submission, this.#lost)
    const { client } = this.#connection
    try {
      this.#put(submission, client)
      const value = decodeValue(await client.gather(submission.key))
      return value instanceof Undecodable ? result : value
    } catch (cause) {
      throw gone(submission, cause)
    }
  }

  lost(error: MintakaError): boolean {
    if (this.#reconnecting) return true
    if (this.#lost) return false
    const { reconnect } = this.#options
    const connection = this.#connection
    this.#connection = undefined
    this.#onCluster = new Set()
    this.#closeLost(connection)
    if (!reconnect || this.#isClosed) {
      this.#lost = error
      return false
    }
    this.#log.warn(`${error.message} A new cluster is being made, and what has not ended submitted again.`)
    this.#reconnecting = this.#reconnect(reconnect)
    return true
  }

  #closeLost(connection: Connection | undefined): void {
    const closing = connection?.close()
    this.#closing = closing?.catch(error =>
      this.#log.warn('A lost Dask cluster could not be closed cleanly', { error }),
    )
  }

  async #reconnect(reconnect: () => Promise<Connection>): Promise<void> {
    try {
      const connection = await reconnect()
      this.#reconnecting = undefined
      this.#use(connection)
      for (const submission of this.#open.values()) {
        if (submission.place === 'sent') this.#put(submission, connection.client)
      }
    } catch (error) {
      this.#reconnecting = undefined
      this.#lost = error instanceof MintakaError ? error : new MintakaError('SCHEDULER_LOST', String(error))
      for (const submission of [...this.#open.values()]) submission.giveUp(this.#lost)
    }
  }

  // A message for each would cost more than the tasks.
  #release(entry: Entry): void {
    if (!this.#onCluster.delete(entry)) return
    if (this.#releasing.push(entry.key) > 1) return
    setImmediate(() => this.#connection?.client.release(this.#releasing.splice(0)))
  }
}

function isPreparing(submission: Submission | undefined): submission is Submission {
  return submission?.place === 'preparing'
}

/** The engine knows better why the run does not run. */
function unreachable({ name, task }: Call, upstream: Call): MintakaError {
  const text = `'${name}' was not submitted: '${upstream.name}', which it needs, has no result.`
  return new MintakaError('UPSTREAM_NOT_COMPLETED', text, { task: task.name })
}

function closedError({ task }: Call): MintakaError {
  const text = `Task '${task.name}' was submitted to a Dask executor whose session has been closed.`
  return new MintakaError('EXECUTOR_CLOSED', text, { task: task.name })
}

function gone({ call }: Submission, cause: unknown): MintakaError {
  const text =
    `The result of '${call.name}' stayed on the Dask cluster, and is there no more. Results that are large are fetched ` +
    'when they are awaited: await them, or return them, before the flow ends.'
  return new MintakaError('RESULT_LOST', text, { task: call.task.name, cause })
}
