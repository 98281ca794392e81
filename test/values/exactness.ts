import v8 from 'node:v8'
import { test } from 'tap'
import { codec } from '../../lib/values/json.js'
import { readShared, share } from '../../lib/values/shared.js'
import { encode, fromWire, toWire } from '../../lib/values/wire.js'
import { randomValue } from './fixtures/random.js'

const count = 2000

/** Every way by which a value crosses a border. */
const ways: Record<string, (value: unknown) => unknown> = {
  postMessage: value => fromWire(structuredClone(toWire(value))),
  moved: value => {
    const moved: ArrayBuffer[] = []
    const wire = toWire(value, 'value', { moved })
    return fromWire(structuredClone(wire, { transfer: moved }))
  },
  'v8.serialize': value => fromWire(v8.deserialize(v8.serialize(toWire(value)))),
  'shared memory': value => readShared(share(value)),
  codec: value => codec.decode(codec.encode(value)),
}

for (const [way, carry] of Object.entries(ways)) {
  test(`by ${way} any value arrives as it was, with what it shares`, async t => {
    for (let seed = 0; seed < count; seed++) {
      const value = randomValue(seed)
      const difference = differs(value, carry(value), way !== 'codec')
      if (difference) return void t.fail(`seed ${seed}: ${difference}`)
    }
    t.pass()
  })
}

test('JSON carries exactly what is said to be JSON', async t => {
  let exact = 0
  for (let seed = 0; seed < 10 * count; seed++) {
    const value = randomValue(seed)
    const { wire, json } = encode(value)
    if (!json) continue
    exact++
    const difference = differs(value, fromWire(JSON.parse(JSON.stringify(wire))), true)
    if (difference) return void t.fail(`seed ${seed}: ${difference}`)
  }
  t.ok(exact > count, 'and that is often')
})

/** Where two values differ, in content or in what they share. */
function differs(one: unknown, other: unknown, buffers: boolean): string | undefined {
  const pairs = new Map<object, object>()
  const back = new Map<object, object>()
  const visit = (a: unknown, b: unknown, path: string): string | undefined => {
    if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
      return Object.is(a, b) ? undefined : `${path}: ${String(a)} became ${String(b)}`
    }
    if (pairs.has(a) || back.has(b)) {
      return pairs.get(a) === b && back.get(b) === a ? undefined : `${path}: shared differently`
    }
    pairs.set(a, b)
    back.set(b, a)
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: of another class`
    if (a instanceof Date || a instanceof URL || a instanceof RegExp) {
      return String(a) === String(b) ? undefined : `${path}: ${a} became ${b}`
    }
    if (a instanceof ArrayBuffer || ArrayBuffer.isView(a)) return bytesDiffer(a, b as typeof a, path)
    const [left, right] = [partsOf(a), partsOf(b)]
    if (left.length !== right.length) return `${path}: ${left.length} parts became ${right.length}`
    for (const [index, [key, child]] of left.entries()) {
      const [otherKey, otherChild] = right[index] as [unknown, unknown]
      const found = visit(key, otherKey, `${path} key ${index}`) ?? visit(child, otherChild, `${path}.${String(index)}`)
      if (found) return found
    }
    return undefined
  }
  // Views of all of one buffer share it where buffers travel as such.
  const bytesDiffer = (a: ArrayBuffer | ArrayBufferView, b: typeof a, path: string): string | undefined => {
    if (bytesOf(a).compare(bytesOf(b)) !== 0) return `${path}: other bytes`
    if (!buffers || !ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return undefined
    return a.byteLength === a.buffer.byteLength ? visit(a.buffer, b.buffer, `${path}.buffer`) : undefined
  }
  return visit(one, other, 'value')
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
    : Buffer.from(value)
}

function partsOf(value: object): [unknown, unknown][] {
  if (value instanceof Map) return [...value]
  if (value instanceof Set) return [...value].map(child => [0, child])
  // Holes are not there, and the order of keys counts.
  const parts: [unknown, unknown][] = Object.keys(value).map(key => [key, (value as Record<string, unknown>)[key]])
  return Array.isArray(value) ? [['length', value.length], ...parts] : parts
}
