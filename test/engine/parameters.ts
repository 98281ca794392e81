import { flow, task } from 'mintaka'
import { test } from 'tap'
import * as v from 'valibot'
import { z } from 'zod'
import { engineFor, history, thrownBy } from './fixtures/engine.js'

const schemas = {
  zod: z.object({
    year: z.coerce.number().int(),
    name: z.string().default('x'),
    deep: z.object({ list: z.array(z.number()) }),
  }),
  valibot: v.object({
    year: v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.integer()),
    name: v.optional(v.string(), 'x'),
    deep: v.object({ list: v.array(v.number()) }),
  }),
}

for (const [name, schema] of Object.entries(schemas)) {
  test(`parameters are validated and coerced before the body runs: ${name}`, async t => {
    const engine = engineFor(t)
    const f = flow('f', p => p, { parameters: schema as typeof schemas.zod })
    t.strictSame(await engine.run(f, { year: '2026', deep: { list: [1] } }), {
      year: 2026,
      name: 'x',
      deep: { list: [1] },
    })
  })

  test(`what does not fit is a FAILED run that names the path: ${name}`, async t => {
    const engine = engineFor(t)
    const f = flow('crunch', () => t.fail('it ran'), { parameters: schema as typeof schemas.zod })
    const run = engine.run(f, { year: 1, deep: { list: [1, 'two'] } } as never)
    const thrown = await thrownBy(() => run)
    t.match(thrown, {
      code: 'INVALID_PARAMETERS',
      flow: 'crunch',
      message: /^The parameters of flow 'crunch' do not fit its schema: deep\.list\.1: /,
      issues: [{}],
    })
    t.strictSame(await history(engine, run), ['Pending', 'Running', 'Failed'])
    t.equal((await engine.flowRuns.get(run.id))?.run.flowName, 'crunch')
  })
}

test('a schema for the whole parameter, which may be optional', async t => {
  const engine = engineFor(t)
  const f = flow('f', n => n ?? 'none', { parameters: z.number().optional() })
  t.equal(await engine.run(f), 'none')
  t.equal(await engine.run(f, 5), 5)
  const thrown = await thrownBy(() => engine.run(f, 'text' as never))
  t.match(thrown, { message: /do not fit its schema: (?!: )/ })
})

test('a schema may be asynchronous, and see the values of futures', async t => {
  const engine = engineFor(t)
  const one = task('one', () => 1)
  const even = z.object({ n: z.number().refine(async n => n % 2 === 0, 'must be even') })
  const sub = flow('sub', p => p.n, { parameters: even })
  const f = flow('f', async () => [await thrownBy(() => sub({ n: one() })), await sub({ n: 2 })])
  const [thrown, two] = await engine.run(f)
  t.match(thrown, { code: 'INVALID_PARAMETERS', message: /n: must be even/ })
  t.equal(two, 2)
})

test('a schema that throws fails the run with what it threw', async t => {
  const engine = engineFor(t)
  const boom = new Error('boom')
  const schema = z.any().transform(() => {
    throw boom
  })
  t.equal(
    await thrownBy(() =>
      engine.run(
        flow('f', () => 1, { parameters: schema }),
        1,
      ),
    ),
    boom,
  )
})

test('what does not fit will not fit the next time, and is not tried again', async t => {
  const engine = engineFor(t)
  const run = engine.run(
    flow('f', () => 1, { parameters: z.number(), retries: 3 }),
    'text' as never,
  )
  t.match(await run.wait(), { name: 'Failed', error: { code: 'INVALID_PARAMETERS' } })
  t.strictSame(await history(engine, run), ['Pending', 'Running', 'Failed'])
})

test('without a schema the parameter is any value, or none', async t => {
  const engine = engineFor(t)
  const f = flow('f', (p: unknown = 'default') => [p])
  for (const value of [1, 'text', null, [1], { a: 1 }]) t.strictSame(await engine.run(f, value), [value])
  t.strictSame(await engine.run(f), ['default'])
})
