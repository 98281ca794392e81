/** The shared values that this thread has been given: kept until it is told to forget them. */
import type { Resolve } from '../lib/values/decoder.js'
import { readShared } from '../lib/values/shared.js'
import { sharedNumbersIn } from '../lib/values/wire.js'
import { home } from './home.js'

const known = new Map<number, SharedArrayBuffer>()
let isListening = false

/**
 * What gives the values that `wire` refers to, each time anew. At once if this thread has them all, a promise if it has to
 * ask for some, `undefined` if there are none.
 */
export function sharedFor(wire: unknown): Resolve | Promise<Resolve> | undefined {
  const numbers = sharedNumbersIn(wire)
  if (numbers.length === 0) return undefined
  // Held by the call: they may be forgotten before it decodes them.
  const held = new Map<number, SharedArrayBuffer>()
  const missing: number[] = []
  for (const number of numbers) {
    const memory = known.get(number)
    if (memory) held.set(number, memory)
    else missing.push(number)
  }
  if (missing.length === 0) return resolveFrom(held)
  const asked = missing.map(async number => void held.set(number, await ask(number)))
  return Promise.all(asked).then(() => resolveFrom(held))
}

async function ask(number: number): Promise<SharedArrayBuffer> {
  const { home: main, onNotice } = await home()
  if (!isListening) onNotice(({ forget }) => known.delete(forget))
  isListening = true
  const memory = await main.sharedValue(number)
  known.set(number, memory)
  return memory
}

function resolveFrom(memories: ReadonlyMap<number, SharedArrayBuffer>): Resolve {
  return number => readShared(memories.get(number) as SharedArrayBuffer)
}
