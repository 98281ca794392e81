import { randomBytes } from 'node:crypto'
import { MintakaError } from '../../core/errors.js'
import type { Call, ExecutorSession, ExecutorSurroundings, Outcome } from '../../core/executor.js'
import type { HeldResult } from '../../core/held-result.js'
import { type GraphTask, taskKey } from '../../dask/client/graph.js'
import { encodePayload } from '../../dask/payload.js'
import { decodeValue, Undecodable } from '../../dask/values/decode.js'
import { toWire } from '../../values/wire.js'
import { nodeArguments, type Places, pythonArguments } from './arguments.js'
import type { ClusterResult } from './cluster-result.js'
import { CodeKeys, type PreparedCode } from './code-keys.js'
import type { Entry, Sendable } from './entry.js'
import { type Connection, Link } from './link.js'
import { nodeAnnotations, pythonAnnotations } from './placement.js'
import { Resource } from './resource.js'
import { Sizes } from './sizes.js'
import { Submission, type SubmissionHome } from './submission.js'
import { Unplaced } from './unplaced.js'
import { hear } from './worker-events.js'

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
  readonly #link: Link
  #sizes: Sizes
  readonly #unplaced: Unplaced
  #shares = 0
  #isClosed = false
  #whenAllEnded: (() => void) | undefined

  constructor(options: SessionOptions) {
    const { connection, reconnect, surroundings } = options
    this.#log = surroundings.log
    this.cancelGraceMs = options.cancelGraceMs ?? defaultCancelGraceMs
    this.#unplaced = new Unplaced(this.#log)
    this.#link = new Link({
      ...{ connection, reconnect, log: this.#log },
      reconnected: connection => this.#submitAgain(connection),
      gaveUp: reason => {
        for (const submission of [...this.#open.values()]) submission.giveUp(reason)
      },
    })
    this.#sizes = this.#listen(connection)
  }

  #listen(connection: Connection): Sizes {
    const { client } = connection
    client.subscribe(this.#topic, event => hear(event, this.#open))
    this.#unplaced.watch(connection, () => this.#open.values())
    return new Sizes(client)
  }

  #submitAgain(connection: Connection): void {
    this.#sizes = this.#listen(connection)
    for (const submission of this.#open.values()) {
      if (submission.place === 'sent') this.#link.put(submission, connection.client)
    }
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
    this.#link.closes()
    if (this.#open.size > 0) {
      const ended = new Promise<void>(resolve => (this.#whenAllEnded = resolve))
      for (const submission of [...this.#open.values()]) submission.onStop()
      await ended
    }
    await this.#link.whenReconnected()
    this.#unplaced.end()
    await this.#link.close()
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
      const { key } = submission
      const sent: GraphTask = { key, call: { type: 'node', payload, deps: upstream.map(({ key }) => key) } }
      return { task: sent, annotations: nodeAnnotations(call), upstream }
    })
  }

  #preparePython(submission: Submission, target: string): void {
    const { call } = submission
    const { client, lostReason } = this.#link
    if (lostReason) return queueMicrotask(() => submission.giveUp(lostReason))
    if (!client) return this.#sendLater(submission)
    if (client.lostReason) return this.#lostBefore(submission, client.lostReason)
    pythonAnnotations(call, client).then(
      annotations =>
        this.#send(submission, () => {
          const { pickle, deps } = pythonArguments(call, target, this)
          const upstream = [...deps, ...this.#upstreamOf(call).filter(entry => !deps.includes(entry))]
          const upstreamKeys = upstream.map(({ key }) => key)
          const { key } = submission
          return { task: { key, call: { type: 'python', pickle, deps: upstreamKeys } }, annotations, upstream }
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
    const { client, lostReason } = this.#link
    if (lostReason) return queueMicrotask(() => submission.giveUp(lostReason))
    if (!client) return this.#sendLater(submission)
    if (client.lostReason) return this.#lostBefore(submission, client.lostReason)
    try {
      submission.sendable = make()
      this.#link.put(submission, client)
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
    void this.#link.whenReconnected().then(() => this.#prepare(submission))
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
    this.#link.cancel(key)
  }

  ended(submission: Submission, outcome: Outcome): void {
    this.#open.delete(submission.key)
    if (submission.place === 'held' && outcome.type === 'returned') {
      this.#heldBy.set(outcome.value as HeldResult, submission)
    } else this.#link.release(submission)
    // Needed to submit it again, if that may be wanted.
    if (!this.#link.submitsAgain) submission.sendable = undefined
    submission.call.ended(outcome)
    if (this.#open.size === 0) this.#whenAllEnded?.()
  }

  async look(submission: Submission): Promise<{ nbytes: number | undefined; value?: unknown }> {
    const { client } = this.#link
    try {
      return await this.#sizes.look(submission.key, inlineBytes)
    } catch (error) {
      // That the scheduler is gone is told to the submission itself, which may be submitted again.
      if (client !== this.#link.client || client?.lostReason) return new Promise(() => {})
      throw error
    }
  }

  /** A value that JavaScript cannot read is fetched as what stands for it. */
  async fetch(submission: Submission, result: ClusterResult): Promise<unknown> {
    await this.#link.whenReconnected()
    const { client, lostReason } = this.#link
    if (lostReason || !client) throw gone(submission, lostReason)
    try {
      this.#link.put(submission, client)
      const value = decodeValue(await client.gather(submission.key))
      return value instanceof Undecodable ? result : value
    } catch (cause) {
      throw gone(submission, cause)
    }
  }

  lost(error: MintakaError): boolean {
    return this.#link.lose(error)
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
