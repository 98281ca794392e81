import { isNativeError } from 'node:util/types'
import { runInNewContext } from 'node:vm'

/**
 * What a call gives that may never end, because of what it was given. `undefined`: it had not ended after `limitMs`, and was
 * broken off, wherever it was: what it was changing is not to be used any more. Throws what the call throws.
 */
export function within<T extends object>(limitMs: number, call: () => T): T | undefined {
  try {
    return runInNewContext('call()', { call }, { timeout: limitMs }) as T
  } catch (error) {
    // It is an error of the new context's own kind.
    if (isNativeError(error) && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined
    throw error
  }
}
