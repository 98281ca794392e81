import { isNativeError } from 'node:util/types'
import { type Context, createContext, Script } from 'node:vm'

/**
 * What a call gives that may never end, because of what it was given. `undefined`: it had not ended after `limitMs`, and was
 * broken off, wherever it was: what it was changing is not to be used any more. Throws what the call throws.
 */
export function within<T extends object>(limitMs: number, call: () => T): T | undefined {
  context ??= createContext({})
  context.call = call
  try {
    return script.runInContext(context, { timeout: limitMs }) as T
  } catch (error) {
    // It is an error of the context's own kind.
    if (isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined
    throw error
  } finally {
    context.call = undefined
  }
}

// One does for all calls: making one takes a millisecond.
let context: Context | undefined
const script = new Script('call()')
