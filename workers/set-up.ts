import type { Code } from '../lib/threads/protocol.js'
import { thrownToWire } from '../lib/values/wire.js'
import { importFunction } from './codes.js'
import { post } from './context.js'

/** Runs the executor's `setup`, before the first call; `false`: it failed, and the pool knows. */
export async function setUp(code: Code): Promise<boolean> {
  try {
    const fn = await importFunction(code)
    await fn()
    post({ type: 'ready' })
    return true
  } catch (thrown) {
    post({ type: 'unready', error: thrownToWire(thrown) })
    return false
  }
}
