import { setTimeout as delay } from 'node:timers/promises'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test } from 'tap'
import { SharedValues } from '../../lib/threads/shared-values.js'
import { readShared } from '../../lib/values/shared.js'
import { fromWire, sharedNumbersIn, toWire } from '../../lib/values/wire.js'

const rows = () => ({ rows: Array.from({ length: 10_000 }, (_, index) => ({ index, text: `row ${index}` })) })
v8.setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

test('what one call is given is sent in full, what a second one is given by its number', async t => {
  const values = new SharedValues()
  const table = rows()
  const first = values.useOf([table])
  t.equal(first.refer(table), undefined)
  const second = values.useOf([table])
  const number = second.refer(table)
  t.type(number, 'number')
  t.equal(first.refer(table), number, 'whoever has yet to be sent')
  const wire = toWire([table, [table]], 'value', { refer: second.refer })
  t.strictSame(sharedNumbersIn(wire), [number])
  t.ok(JSON.stringify(wire).length < 200)
  const memory = values.memoryOf(number as number) as SharedArrayBuffer
  const [one, [two]] = fromWire(wire, () => readShared(memory)) as [typeof table, [typeof table]]
  t.strictSame(one, table)
  t.equal(one, two, 'it is one value in one call')
  t.not(readShared(memory), readShared(memory), 'and another in the next')
})

test('what is small, or cannot be sent, is left to the message', async t => {
  const values = new SharedValues()
  const small = { a: 1 }
  const unsendable = { ...rows(), f: () => 1 }
  const getter = {
    get rows(): unknown {
      throw new Error('not now')
    },
  }
  const given = [small, unsendable, getter]
  values.useOf(given)
  const use = values.useOf(given)
  for (const value of given) t.equal(use.refer(value), undefined)
  t.equal(use.refer({}), undefined, 'and what the call was not given')
  t.throws(() => toWire(given, 'value', { refer: use.refer }), { code: 'NOT_SENDABLE', path: 'value[1].f' })
})

test('a value is let go with the last call that uses it, and those who have it are told', async t => {
  const values = new SharedValues()
  const forgotten: number[] = []
  const stop = values.onForgotten(number => forgotten.push(number))
  const table = rows()
  const uses = [values.useOf([table]), values.useOf([table]), values.useOf([table])] as const
  const number = uses[2].refer(table) as number
  uses[0].end()
  uses[0].end()
  uses[1].end()
  t.ok(values.memoryOf(number), 'ending twice counts once')
  t.strictSame([forgotten, values.size], [[], 1])
  uses[2].end()
  t.equal(values.memoryOf(number), undefined)
  t.strictSame([forgotten, values.size], [[number], 0])
  const again = values.useOf([table])
  t.equal(again.refer(table), number)
  t.strictSame(readShared(values.memoryOf(number) as SharedArrayBuffer), table)
  stop()
  again.end()
  t.strictSame(forgotten, [number])
})

test('memory is given back while the value lives on', async t => {
  const values = new SharedValues()
  const bytes = new Uint8Array(64_000_000)
  const uses = [values.useOf([bytes]), values.useOf([bytes])]
  const before = process.memoryUsage().arrayBuffers
  uses[1]?.refer(bytes)
  t.ok(process.memoryUsage().arrayBuffers - before > 60_000_000)
  for (const use of uses) use.end()
  const isGivenBack = () => process.memoryUsage().arrayBuffers - before < 10_000_000
  // What is collected is freed by a thread of its own, when that comes to it.
  for (const end = Date.now() + 20_000; !isGivenBack() && Date.now() < end; await delay(5)) collect()
  t.ok(isGivenBack())
  t.equal(bytes.length, 64_000_000)
})
