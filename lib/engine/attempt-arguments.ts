/** The arguments of an attempt, made of those that were taken at the call: values in the place of futures. */
import type { Call } from '../core/executor.js'
import { allowedFuture, type RunFuture } from '../core/future.js'
import { HeldResult, valueOfResult } from '../core/held-result.js'
import { PendingResult } from '../core/pending-result.js'
import { copier, copyWith } from '../core/traverse.js'
import { keyOfArguments, shortContentOf } from '../values/hash.js'
import { Snapshot } from '../values/snapshot.js'
import { giveAway, markHandedOver } from '../values/transfer.js'
import { lifeOf } from './future.js'
import { stateWithValue } from './held.js'
import { type Edge, type Inputs, isEdge } from './inputs.js'
import { Whole } from './whole.js'

/** The arguments of an attempt. */
export interface AttemptArguments {
  readonly args: readonly unknown[]
  /** Objects among them that other calls may be given too. */
  readonly shared: readonly object[] | undefined
}

/** The arguments, to be looked at and not changed. */
export function argumentsToLookAt({ args, edges }: Inputs): readonly unknown[] {
  if (!edges && !args.some(isWhole)) return args
  return args.map(arg => copyWith(arg, isInput, input => resultOf(input)))
}

/**
 * The key of a call with these arguments: see `keyOfArguments`. What has stayed elsewhere has no value here, and no key.
 * What many calls are given whole is looked at once.
 */
export function keyOfInputs(inputs: Inputs): string | undefined {
  return keyOfArguments(argumentsToLookAt(inputs), (arg, index) => {
    const given = inputs.args[index]
    return isWhole(given) ? given.contentBy(() => shortContentOf(arg)) : shortContentOf(arg)
  })
}

/**
 * The arguments of an attempt in this process. A body may change what it is given: if they are needed `again`, and
 * where several runs are given the same, it gets a copy.
 */
export function argumentsHere(inputs: Inputs, again: boolean): readonly unknown[] {
  const { args, edges } = inputs
  if (!again && !edges && !args.some(isWhole)) return args
  const { take } = new Snapshot('copies', args)
  const copyOf = copier(isNothing, () => undefined, take)
  const value = (input: Edge | Whole) => (again || isWhole(input) ? copyOf(resultOf(input)) : resultOf(input))
  return args.map(copier(isInput, value, again ? take : undefined))
}

/**
 * The arguments of an attempt elsewhere. They are only read: what an executor sends is a copy. If they are not needed
 * again, messages may have the buffers that nobody else holds, and those of results that were given to `transfer`.
 */
export function argumentsElsewhere(
  inputs: Inputs,
  again: boolean,
  pending: ReadonlyMap<unknown, Call> | undefined,
  session: object,
): AttemptArguments {
  const { args, edges, owned } = inputs
  if (!again && owned) for (const buffer of owned) giveAway(buffer)
  if (!edges && !args.some(isWhole)) return { args, shared: undefined }
  const shared = new Set<object>()
  const handed = new Map<Edge, unknown>()
  const given = (input: Edge | Whole): unknown => {
    const call = pending?.get(input)
    if (call) return new PendingResult(call)
    // Not kept for other calls: those that are made later find results in it.
    if (pending && isWhole(input) && input.holdsAny(pending)) return copyWith(input.inputs.args[0], isEdge, given)
    if (!again && edges?.transferred.has(input as RunFuture<unknown>) && !isKept(input)) {
      if (!handed.has(input)) handed.set(input, handOver(resultOf(input)))
      return handed.get(input)
    }
    const value = placeOf(input, session) ?? resultOf(input)
    if (typeof value === 'object' && value !== null && !allowedFuture(input)) shared.add(value)
    return value
  }
  return { args: args.map(arg => copyWith(arg, isInput, given)), shared: shared.size > 0 ? [...shared] : undefined }
}

/** The value with the buffers of the result; those of the result are empty from now on. */
function handOver(result: unknown): unknown {
  const snapshot = new Snapshot('takes all', result)
  const value = copier(isNothing, () => undefined, snapshot.take)(result)
  for (const buffer of snapshot.owned) giveAway(buffer)
  if (typeof result === 'object' && result !== null) markHandedOver(result)
  return value
}

/** Whether the result is needed for more than who reads the future: emptied, it would be no good. */
function isKept(input: Edge): boolean {
  return lifeOf(input as RunFuture<unknown>)?.keepsResult ?? true
}

/** A result that has stayed with the executor which needs it, whether it has been fetched or not. */
function placeOf(input: Edge | Whole, session: object): HeldResult | undefined {
  if (isWhole(input) || allowedFuture(input)) return undefined
  const { state } = input as RunFuture<unknown>
  const isPlace = state.type === 'COMPLETED' && state.result instanceof HeldResult && state.result.session === session
  return isPlace ? (state.result as HeldResult) : undefined
}

/** A result in the place of a future, a settled state in the place of an allowed failure. */
function resultOf(input: Edge | Whole): unknown {
  if (isWhole(input)) return input.valueBy(value => copyWith(value, isEdge, resultOf))
  const opted = allowedFuture(input)
  // A task that allows a failure looks into the state itself.
  if (opted) return stateWithValue(opted.state)
  const { state } = input as RunFuture<unknown>
  return state.type === 'COMPLETED' ? valueOfResult(state.result) : undefined
}

function isInput(value: object): value is Edge | Whole {
  return isWhole(value) || isEdge(value)
}

function isWhole(value: unknown): value is Whole {
  return value instanceof Whole
}

function isNothing(_value: object): _value is never {
  return false
}
