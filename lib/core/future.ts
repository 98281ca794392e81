import type { SettledState, State } from './state.js'

const brand = Symbol.for('mintaka.future')

/** How long, and until what, to wait. */
export interface WaitOptions {
  /** Milliseconds. Then `wait` gives `undefined`, and the run goes on. */
  readonly timeoutMs?: number | undefined
  /** Ends the waiting when it fires, not the run. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A promise that knows its run. `await` gives the value or throws what the run threw.
 *
 * A task's future is lazy about rejections: one that fails unobserved is its flow's business, never an unhandled
 * rejection.
 */
export interface RunFuture<T> extends Promise<T> {
  /** Id of the run. */
  readonly id: string
  /** Name of the run. */
  readonly name: string
  /** Where the run stands now. */
  readonly state: State<T>
  /** The settled state, when the run has one. Never throws, and counts as watching. */
  wait(): Promise<SettledState<T>>
  /** The same with an end: `undefined` when time ran out or the signal fired first. */
  wait(options: WaitOptions): Promise<SettledState<T> | undefined>
  /** `await future`, by name. */
  result(): Promise<T>
  /** Asks the run to stop. Resolves with the state it then settles in; a run that has settled is left as it is. */
  cancel(reason?: string): Promise<SettledState<T>>
}

/** What a call of a task gives, at once. */
export interface TaskFuture<T> extends RunFuture<T> {
  /** Tells it from a {@link FlowFuture}. */
  readonly kind: 'task-run'
}
/**
 * What a call of a flow gives, at once. At the top level, one that fails with nobody watching is an unhandled rejection.
 */
export interface FlowFuture<T> extends RunFuture<T> {
  /** Tells it from a {@link TaskFuture}. */
  readonly kind: 'flow-run'
}

export { brand as futureBrand }

/** Whether `value` is a future of a task or flow run. */
export function isFuture(value: object): value is RunFuture<unknown> {
  return brand in value
}

const allowed = Symbol.for('mintaka.allow-failure')

/** An argument that lets its task run even if that upstream failed; see `allowFailure`. */
export interface AllowFailure<T> {
  readonly [allowed]: T
}

class Allowed {
  readonly future: RunFuture<unknown>
  constructor(future: RunFuture<unknown>) {
    this.future = future
  }
  get [allowed](): true {
    return true
  }
}

/** As an argument: the task runs even if that upstream failed, and receives its settled state. */
export function allowFailure<T>(future: RunFuture<T>): AllowFailure<State<T>> {
  return new Allowed(future) as unknown as AllowFailure<State<T>>
}

/** The future inside `allowFailure(future)`. */
export function allowedFuture(value: object): RunFuture<unknown> | undefined {
  return allowed in value ? (value as Allowed).future : undefined
}

const whole = Symbol.for('mintaka.unmapped')

/** An argument of `map` that is passed whole to every call; see `unmapped`. */
export interface Unmapped<T> {
  readonly [whole]: T
}

/** In `aTask.map(…)`: passes `value` whole to every call instead of one element to each. */
export function unmapped<const T>(value: T): Unmapped<T> {
  return { [whole]: value }
}

/** Whether `value` was made by {@link unmapped}. */
export function isUnmapped(value: unknown): value is Unmapped<unknown> {
  return typeof value === 'object' && value !== null && whole in value
}

/** The value inside `unmapped(value)`. */
export function unmappedValue(value: Unmapped<unknown>): unknown {
  return value[whole]
}

type Atom =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView
  | Function
  | Promise<unknown>
type Shallower = [0, 0, 1, 2, 3, 4]
type IsAny<T> = 0 extends 1 & T ? true : false

/**
 * What may stand where a task or flow wants a `T`: a `T`, a future of one, or a container with futures in it. The depth
 * is bounded, because an unbounded one makes TypeScript give up on recursive types and then accept anything.
 */
export type Arg<T, Depth extends number = 5> =
  | T
  | RunFuture<T>
  | AllowFailure<T>
  | (IsAny<T> extends true
      ? never
      : unknown extends T
        ? never
        : Depth extends 0
          ? never
          : T extends Atom
            ? never
            : T extends ReadonlyMap<infer K, infer V>
              ? Map<K, Arg<V, Shallower[Depth]>>
              : T extends ReadonlySet<infer V>
                ? Set<Arg<V, Shallower[Depth]>>
                : T extends readonly unknown[]
                  ? { [K in keyof T]: Arg<T[K], Shallower[Depth]> }
                  : { [K in keyof T]: Arg<T[K], Shallower[Depth]> })
/** What may stand where a function takes these parameters: an {@link Arg} for each. */
export type Args<A extends readonly unknown[]> = { [K in keyof A]: Arg<A[K]> }
/** What `map` takes: per parameter a list, or one value for all calls by {@link unmapped}. */
export type MapArgs<A extends readonly unknown[]> = { [K in keyof A]: readonly Arg<A[K]>[] | Unmapped<Arg<A[K]>> }
export type { Atom }
