import { allowedFuture, isFuture, type RunFuture } from '../core/future.js'
import { keyOfConstants, maxKeyText } from '../core/input-keys.js'
import type { RunInput } from '../core/run.js'
import { type NotReady, states } from '../core/state.js'
import { TransferredFuture } from '../core/transferred-future.js'
import { copier } from '../core/traverse.js'
import { upstreamError } from '../core/upstream.js'
import { preview } from '../values/preview.js'
import { Snapshot } from '../values/snapshot.js'
import { lifeOf } from './future.js'
import { Whole } from './whole.js'

/** The inputs of a run: what it was called with, and which runs it has to wait for before it may start. */
export interface Inputs {
  /** The arguments as they were at the call: containers are copied, futures still in place. */
  readonly args: readonly unknown[]
  /** Runs it waits for, if there are any. */
  readonly edges: Edges | undefined
  /** For the record; left out where the arguments are small constants, which can be described later. */
  readonly described: readonly RunInput[] | undefined
  /** Buffers among the arguments that nobody but the run holds, and that are worth moving. */
  readonly owned: readonly ArrayBuffer[] | undefined
}

/** Those of a run that needs none any more. */
export const noInputs: Inputs = { args: [], edges: undefined, described: undefined, owned: undefined }

export interface Edges {
  /** Runs whose values it needs, in the order in which they were found. */
  readonly upstream: readonly RunFuture<unknown>[]
  /** Runs that it receives as states, failed or not. */
  readonly allowed: readonly RunFuture<unknown>[]
  /** Those of `upstream` whose results are handed over with their buffers: `transfer(future)`. */
  readonly transferred: ReadonlySet<RunFuture<unknown>>
}

export type Edge = RunFuture<unknown> | object

/**
 * Takes the arguments of a call as they are now: the caller may change its arrays afterwards. Futures are found at any
 * depth where arguments are searched. Bytes that were given to `transfer` are not copied: for a run that is carried out
 * elsewhere they are taken over, and the caller's are empty from now on; here they are passed on as they are.
 */
export function takeInputs(
  args: readonly unknown[],
  waitFor?: readonly RunFuture<unknown>[],
  name?: string,
  where: 'here' | 'elsewhere' = 'here',
): Inputs {
  if (!waitFor?.length && areSmall(args)) return { args, edges: undefined, described: undefined, owned: undefined }
  const taking = new InputsInTheMaking(args, where)
  const taken = args.map((arg, index) => taking.take(name ?? String(index), arg))
  if (waitFor?.length) taking.waitFor(waitFor)
  return { args: taken, ...taking.found() }
}

/** A value that many calls are given whole, taken once for all of them. */
export function takeWhole(value: unknown, where: 'here' | 'elsewhere'): unknown {
  return areSmall([value]) || (isObject(value) && isEdge(value))
    ? value
    : new Whole(takeInputs([value], [], '0', where))
}

class InputsInTheMaking {
  readonly #upstream: RunFuture<unknown>[] = []
  readonly #allowed: RunFuture<unknown>[] = []
  readonly #transferred = new Set<RunFuture<unknown>>()
  readonly #described: RunInput[] = []
  readonly #snapshot: Snapshot

  constructor(args: readonly unknown[], where: 'here' | 'elsewhere') {
    this.#snapshot = new Snapshot(where === 'here' ? 'passes on' : 'takes over', args)
  }

  take(name: string, arg: unknown): unknown {
    if (arg instanceof Whole) return this.#takeWhole(name, arg)
    const runs: string[] = []
    const put = (edge: Edge): object => {
      const [future, place] = this.#meet(edge)
      runs.push(future.id)
      return place
    }
    const copy = copier<Edge>(isEdge, put, this.#snapshot.take)(arg)
    this.#described.push(runs.length > 0 ? { name, runs } : describe(name, copy))
    return copy
  }

  waitFor(futures: readonly RunFuture<unknown>[]): void {
    for (const future of futures) this.#upstream.push(future)
    this.#described.push({ name: 'waitFor', runs: futures.map(({ id }) => id) })
  }

  found(): Omit<Inputs, 'args'> {
    const [upstream, allowed, transferred] = [this.#upstream, this.#allowed, this.#transferred]
    const { owned } = this.#snapshot
    return {
      edges: upstream.length + allowed.length > 0 ? { upstream, allowed, transferred } : undefined,
      described: this.#described,
      owned: owned.length > 0 ? owned : undefined,
    }
  }

  #takeWhole(name: string, whole: Whole): Whole {
    const { upstream = [], allowed = [] } = whole.inputs.edges ?? {}
    for (const future of upstream) this.#upstream.push(future)
    for (const future of allowed) this.#allowed.push(future)
    this.#described.push(whole.describedAs(name))
    return whole
  }

  /** The run behind an edge, and what stands for it among the arguments. */
  #meet(edge: Edge): [future: RunFuture<unknown>, place: object] {
    const opted = allowedFuture(edge)
    if (opted) {
      this.#allowed.push(opted)
      return [opted, edge]
    }
    const future = edge instanceof TransferredFuture ? edge.future : (edge as RunFuture<unknown>)
    if (future !== edge) this.#transferred.add(future)
    this.#upstream.push(future)
    return [future, future]
  }
}

/** Descriptions of arguments that hold no runs. */
export function describeInputs(args: readonly unknown[], name?: string): readonly RunInput[] {
  return args.map((arg, index) => describe(name ?? String(index), arg))
}

function describe(name: string, value: unknown): RunInput {
  return { name, preview: preview(value) }
}

/** Whether all of them neither hold anything nor are worth letting go of: they may be kept as they are. */
export function areSmall(args: readonly unknown[]): boolean {
  for (const arg of args) {
    if (typeof arg === 'string' ? arg.length > 100 : typeof arg === 'object' && arg !== null) return false
  }
  return true
}

/** Whether it is plain, without writing it, that the key of small constants is a short text: see `keyOfConstants`. */
export function hasShortKey(args: readonly unknown[]): boolean {
  let atMost = 0
  for (const arg of args) {
    if (typeof arg === 'string') atMost += 6 * arg.length + 2
    else if (typeof arg === 'function' || typeof arg === 'symbol' || typeof arg === 'bigint') return false
    else atMost += 25
    if (atMost > maxKeyText) return keyOfConstants(args) !== undefined
  }
  return true
}

/** Calls back when all have settled. */
export function whenAllSettled(futures: readonly RunFuture<unknown>[], callback: () => void): void {
  let open = futures.length
  if (open === 0) return callback()
  const settled = () => {
    open -= 1
    if (open === 0) callback()
  }
  for (const future of futures) {
    const life = lifeOf(future)
    if (life) life.whenSettled(settled)
    else void future.wait().then(settled)
  }
}

/**
 * Whether a run waits for others, and each of these is of the same flow run, where it is looked at by itself, or goes on
 * only when another one does.
 */
export function waitsForResting({ upstream, allowed }: Edges, flow: object): boolean {
  const open = [...upstream, ...allowed].map(lifeOf).filter(life => life?.settled === undefined)
  return open.length > 0 && open.every(life => life !== undefined && (life.isIn(flow) || life.isResting))
}

/** Where a run rests that needs the value of one that did not complete; `undefined`: all of them have. */
export function notReadyFor(name: string, { upstream }: Edges, now: number): NotReady | undefined {
  const failed = upstream.find(({ state }) => state.type !== 'COMPLETED')
  if (!failed) return undefined
  const error = upstreamError(name, failed, failed.state)
  return states.notReady(now, failed.id, error, error.message)
}

/** Whether `value` stands for a run among arguments. */
export function isEdge(value: object): value is Edge {
  return isFuture(value) || allowedFuture(value) !== undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
