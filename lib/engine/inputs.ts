import { allowedFuture, isFuture, type RunFuture } from '../core/future.js'
import type { RunInput } from '../core/run.js'
import { copyWith } from '../core/traverse.js'
import { preview } from '../values/preview.js'
import { Future } from './future.js'

/** The inputs of a run: what it was called with, and which runs it has to wait for before it may start. */
export interface Inputs {
  /** The arguments as they were at the call: containers are copied, futures still in place. */
  readonly args: readonly unknown[]
  /** Runs it waits for, if there are any. */
  readonly edges: Edges | undefined
  /** For the record; left out where the arguments are small constants, which can be described later. */
  readonly described: readonly RunInput[] | undefined
}

export interface Edges {
  /** Runs whose values it needs, in the order in which they were found. */
  readonly upstream: readonly RunFuture<unknown>[]
  /** Runs that it receives as states, failed or not. */
  readonly allowed: readonly RunFuture<unknown>[]
}

type Edge = RunFuture<unknown> | object

/**
 * Takes the arguments of a call as they are now: the caller may change its arrays afterwards. Futures are found at any
 * depth where arguments are searched.
 */
export function takeInputs(args: readonly unknown[], waitFor?: readonly RunFuture<unknown>[], name?: string): Inputs {
  if (!waitFor?.length && areSmall(args)) return { args, edges: undefined, described: undefined }
  const upstream: RunFuture<unknown>[] = []
  const allowed: RunFuture<unknown>[] = []
  const described: RunInput[] = []
  const taken = args.map((arg, index) => {
    const runs: string[] = []
    const copy = copyWith<Edge>(arg, isEdge, edge => {
      const opted = allowedFuture(edge)
      if (opted) allowed.push(opted)
      else upstream.push(edge as RunFuture<unknown>)
      runs.push((opted ?? (edge as RunFuture<unknown>)).id)
      return edge
    })
    described.push(runs.length > 0 ? { name: name ?? String(index), runs } : describe(name ?? String(index), arg))
    return copy
  })
  if (waitFor?.length) {
    upstream.push(...waitFor)
    described.push({ name: 'waitFor', runs: waitFor.map(({ id }) => id) })
  }
  return { args: taken, edges: upstream.length + allowed.length > 0 ? { upstream, allowed } : undefined, described }
}

/** Descriptions of arguments that hold no runs. */
export function describeInputs(args: readonly unknown[], name?: string): readonly RunInput[] {
  return args.map((arg, index) => describe(name ?? String(index), arg))
}

function describe(name: string, value: unknown): RunInput {
  return { name, preview: preview(value) }
}

/** Whether all of them neither hold anything nor are worth letting go of. */
function areSmall(args: readonly unknown[]): boolean {
  for (const arg of args) {
    if (typeof arg === 'string' ? arg.length > 100 : typeof arg === 'object' && arg !== null) return false
  }
  return true
}

/** The arguments with values in the place of futures, and settled states in the place of allowed failures. */
export function withValues(args: readonly unknown[]): readonly unknown[] {
  return args.map(arg =>
    copyWith<Edge>(arg, isEdge, edge => {
      const opted = allowedFuture(edge)
      if (opted) return opted.state
      const { state } = edge as RunFuture<unknown>
      return state.type === 'COMPLETED' ? state.result : undefined
    }),
  )
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
    const life = Future.lifeOf(future)
    if (life) life.whenSettled(settled)
    else void future.wait().then(settled)
  }
}

function isEdge(value: object): value is Edge {
  return isFuture(value) || allowedFuture(value) !== undefined
}
