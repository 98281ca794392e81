import { test } from 'tap'
import { type Check, check, checkOptions } from '../../lib/core/options.js'

const rows: [string, Check, readonly unknown[], readonly unknown[]][] = [
  ['count', check.count, [0, 1, 100], [-1, 1.5, '1', Number.NaN, Number.POSITIVE_INFINITY, null]],
  ['positive', check.positive, [1, Number.POSITIVE_INFINITY], [0, -1, 0.5, '1', Number.NaN]],
  ['milliseconds', check.milliseconds, [0, 0.5, 1e9], [-1, '1', Number.NaN, null]],
  ['delay', check.delay, [0, 10, [], [1, 2], () => 1], [-1, [1, -1], ['1'], '1', Number.NaN, {}]],
  ['function', check.function, [() => {}, class {}], [1, {}]],
  ['string', check.string, ['a'], ['', 1, null]],
  ['strings', check.strings, [[], ['a', '']], ['a', [1], null]],
  ['boolean', check.boolean, [true, false], [0, 'true']],
  ['object', check.object, [{}, new Map()], [null, [], 'a', () => {}]],
  ['signal', check.signal, [AbortSignal.abort()], [{}, { aborted: true }]],
  ['futures', check.futures, [[], [{ wait() {} }]], [{ wait() {} }, [1], [Promise.resolve()], [null]]],
  ['oneOf', check.oneOf('a', 'b'), ['a', 'b'], ['c', 1]],
]
for (const [name, passes, right, wrong] of rows) {
  test(`the check '${name}' knows right from wrong`, async t => {
    for (const value of right) t.equal(passes(value), undefined)
    for (const value of wrong) t.type(passes(value), 'string')
  })
}

const checks = { retries: check.count, name: check.string }

test('options that will do are given back', async t => {
  const options = { retries: 2, name: 'n' }
  t.equal(checkOptions("task 'a'", options, checks), options)
  t.equal(checkOptions("task 'a'", undefined, checks), undefined)
  t.doesNotThrow(() => checkOptions("task 'a'", { retries: undefined }, checks), 'undefined counts as not given')
})

test('an option that does not exist is refused with the names of those that do', async t => {
  t.throws(() => checkOptions("task 'a'", { retires: 2 }, checks), {
    code: 'INVALID_OPTION',
    message: "task 'a' has no option 'retires'. It has: retries, name.",
    option: 'retires',
  })
  t.throws(() => checkOptions("task 'a'", { constructor: 1 }, checks), { code: 'INVALID_OPTION' })
})

test('a value that will not do is refused with what it should be', async t => {
  t.throws(() => checkOptions("task 'a'", { retries: -1 }, checks), {
    code: 'INVALID_OPTION',
    message: "The option 'retries' of task 'a' should be a whole number from 0, not -1.",
    option: 'retries',
  })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  for (const retries of [circle, 1n, Symbol('s'), function named() {}, Number.NaN]) {
    t.throws(() => checkOptions("task 'a'", { retries }, checks), { code: 'INVALID_OPTION' })
  }
})

test('options that are no object are refused', async t => {
  t.throws(() => checkOptions("task 'a'", 'retries' as unknown as object, checks), { code: 'INVALID_OPTION' })
  t.throws(() => checkOptions("task 'a'", null as unknown as object, checks), { code: 'INVALID_OPTION' })
})
