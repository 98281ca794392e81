import { isFuture } from '../core/future.js'
import type { FlowDefinition } from './definitions.js'
import { type BodyEnd, futuresIn } from './final-state.js'
import { parametersFor } from './flow-parameters.js'
import { fetchHeld, fetchHeldIn } from './held.js'
import { type Inputs, whenAllSettled } from './inputs.js'
import { type Scope, scopes } from './scope.js'

/** Runs the function of a flow, and waits for the futures in what it returns. Never rejects. */
export async function runBody(flow: FlowDefinition, inputs: Inputs, scope: Scope): Promise<BodyEnd> {
  try {
    const parameters = await parametersFor(flow, inputs)
    const value = scopes.run(scope, () => flow.fn(...(parameters as [never])))
    const returned = isObject(value) && isFuture(value) ? value : await value // a sync body's future is not unwrapped
    await new Promise<void>(resolve => whenAllSettled(futuresIn(returned), resolve))
    return { type: 'returned', value: returned }
  } catch (error) {
    return { type: 'threw', error }
  }
}

/** A flow ends with values: results that have stayed elsewhere are fetched, before their executor closes. */
export async function withValues(body: BodyEnd): Promise<BodyEnd> {
  if (body.type === 'threw') return body
  try {
    await fetchHeld(futuresIn(body.value))
    await fetchHeldIn(body.value)
    return body
  } catch (error) {
    return { type: 'threw', error }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
