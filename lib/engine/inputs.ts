import { allowedFuture, isFuture, type RunFuture } from '../core/future.js'
import type { RunInput } from '../core/run.js'
import type { SettledState } from '../core/state.js'
import { copyWith } from '../core/traverse.js'
import { preview } from '../values/preview.js'
import { Future } from './future.js'

type Edge = RunFuture<unknown> | object

/** The inputs of a run: what it was called with, and which runs it has to wait for before it may start. */
export interface Inputs {
  /** The arguments as they were at the call: containers are copied, futures still in place. */
  readonly args: readonly unknown[]
  /** Runs whose values it needs, in the order in which they were found. */
  readonly upstream: readonly RunFuture<unknown>[]
  /** Runs that it waits for and receives as states, failed or not. */
  readonly allowed: readonly RunFuture<unknown>[]
  /** For the record. */
  readonly described: readonly RunInput[]
}

const none: readonly RunFuture<unknown>[] = []

/**
 * Takes the arguments of a call as they are now: the caller may change its arrays afterwards. Futures are found at any
 * depth where arguments are searched.
 */
export function takeInputs(
  args: readonly unknown[],
  waitFor: readonly RunFuture<unknown>[] | undefined,
  nameOf: (index: number) => string,
): Inputs {
  let upstream: RunFuture<unknown>[] | undefined
  let allowed: RunFuture<unknown>[] | undefined
  const taken: unknown[] = new Array(args.length)
  const described: RunInput[] = new Array(args.length)
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]
    if (typeof arg !== 'object' || arg === null) {
      taken[index] = arg
      described[index] = { name: nameOf(index), preview: preview(arg) }
      continue
    }
    let runs: string[] | undefined
    taken[index] = copyWith<Edge>(arg, isEdge, edge => {
      const opted = allowedFuture(edge)
      const future = opted ?? (edge as RunFuture<unknown>)
      if (opted) (allowed ??= []).push(opted)
      else (upstream ??= []).push(future)
      ;(runs ??= []).push(future.id)
      return edge
    })
    described[index] = runs ? { name: nameOf(index), runs } : { name: nameOf(index), preview: preview(arg) }
  }
  if (waitFor?.length) {
    upstream = [...(upstream ?? none), ...waitFor]
    described.push({ name: 'waitFor', runs: waitFor.map(({ id }) => id) })
  }
  return { args: taken, upstream: upstream ?? none, allowed: allowed ?? none, described }
}

/** The arguments with values in the place of futures, and settled states in the place of allowed failures. */
export function withValues(args: readonly unknown[]): readonly unknown[] {
  return copyWith<Edge>(args, isEdge, edge => {
    const opted = allowedFuture(edge)
    if (opted) return opted.state
    const { state } = edge as RunFuture<unknown>
    return state.type === 'COMPLETED' ? state.result : undefined
  }) as unknown[]
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
    else void (future.wait() as Promise<SettledState>).then(settled)
  }
}

function isEdge(value: object): value is Edge {
  return isFuture(value) || allowedFuture(value) !== undefined
}
