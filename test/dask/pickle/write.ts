import { test } from 'tap'
import { loads } from '../../../lib/dask/pickle/read.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { Random } from '../../fixtures/random.js'

test('what no pickle of ours can hold is refused', async t => {
  class Point {}
  for (const value of [() => 1, Symbol('x'), new Point(), [new Date(0)], { a: new Point() }]) {
    t.throws(() => dumps(value), { code: 'INVALID_ARGUMENT' })
  }
  const cycle: unknown[] = []
  cycle.push(cycle)
  t.throws(() => dumps(cycle), { code: 'INVALID_ARGUMENT', message: /nested that deep/ })
})

test('a class that is refused is named', async t => {
  t.throws(() => dumps(new Date(0)), { message: 'A pickle for Python cannot hold an instance of Date.' })
})

test('integers of every size come back', async t => {
  const random = new Random(3)
  for (let bits = 1; bits < 300; bits++) {
    const value = BigInt(`0b1${Array.from({ length: bits - 1 }, () => random.below(2)).join('')}`)
    for (const each of [value, -value, value - 1n, -value - 1n]) {
      const read = loads(dumps(each))
      t.equal(BigInt(read as bigint), each)
    }
  }
})

test('keys that JavaScript treats specially are keys like any other', async t => {
  const value: unknown = JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3}')
  const read = loads(dumps(value)) as Map<string, number>
  t.strictSame(
    [...read],
    [
      ['__proto__', 1],
      ['constructor', 2],
      ['toString', 3],
    ],
  )
})
