import assert from 'node:assert/strict'
import { flow } from 'mintaka'
import * as tasks from '../executor-tasks.js'
import type { ExecutorTest } from './bench.js'

/** Arguments, results and errors arrive as they were. */
export function valueTests(test: ExecutorTest): void {
  test('a call gives what its function returned', async ({ engine, executor }) => {
    const run = flow('values', async () => [await tasks.add(2, 3), await tasks.later('now')], { executor })
    assert.deepEqual(await engine.run(run), [5, 'now later'])
  })

  test('values arrive as they were', async ({ engine, executor }) => {
    const shared = { inner: [1] }
    const values = [
      ...[undefined, null, true, -0, Number.NaN, Number.POSITIVE_INFINITY, 12n, 'text', '\u{1F980}'],
      ...[new Date(5), /a+/gi, new URL('https://example.org/a?b#c')],
      ...[new Map<unknown, unknown>([['a', { b: [1, undefined] }]]), new Set([1, 'two'])],
      ...[new Uint8Array([1, 2, 3]), new Float64Array([0.5]), new Uint8Array([9]).buffer],
      { nested: { list: [1, [2, [3]]] }, shared, again: shared },
    ]
    const run = flow('kinds', async () => ({ values: values.map(value => tasks.echo(value)) }), { executor })
    const arrived = (await engine.run(run)).values
    for (const [index, value] of values.entries()) assert.deepEqual(arrived[index], value, `value ${index}`)
  })

  test('an error arrives with name, message, code, fields, cause and errors', async ({ engine, executor }) => {
    const custom = await engine.run(flow('custom', () => tasks.failWith('custom'), { executor })).catch(error => error)
    assert.ok(custom instanceof Error)
    const { name, message, code, order, cause } = custom as tasks.OrderError
    assert.deepEqual([name, message, code, order], ['OrderError', 'no such order', 'E_ORDER', { id: 7 }])
    assert.ok(cause instanceof TypeError)
    assert.deepEqual([cause.message, cause.cause], ['the cause', 'the root'])
    assert.match(custom.stack ?? '', /executor-tasks\.[jt]s/)
    const both = await engine.run(flow('both', () => tasks.failWith('aggregate'), { executor })).catch(error => error)
    assert.ok(both instanceof AggregateError)
    assert.deepEqual(
      both.errors.map((error: Error) => [error.name, error.message]),
      [
        ['TypeError', 'one'],
        ['RangeError', 'two'],
      ],
    )
  })

  test('what is thrown need not be an error', async ({ engine, executor }) => {
    const run = flow(
      'thrown',
      async () => [await tasks.failWith('text').wait(), await tasks.failWith('undefined').wait()],
      {
        executor,
      },
    )
    const states: unknown[] = []
    const outer = flow('outer', async () => {
      const text = await tasks.failWith('text').wait()
      const nothing = await tasks.failWith('undefined').wait()
      for (const state of [text, nothing]) states.push([state.type, state.type === 'FAILED' && state.error])
      return 'seen'
    })
    assert.equal((await engine.run(run).wait()).type, 'FAILED')
    await engine.run(outer, undefined, { executor })
    assert.deepEqual(states, [
      ['FAILED', 'only text'],
      ['FAILED', undefined],
    ])
  })
}
