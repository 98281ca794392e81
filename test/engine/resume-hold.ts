import { type Engine, type Flow, type FlowOptions, flow, SequentialExecutor, task } from 'mintaka'
import { test } from 'tap'
import { engineFor } from './fixtures/engine.js'

let isBroken = true
let ran: unknown[] = []
const step = task('step', (value: unknown) => {
  ran.push(value)
  return value
})
const boom = task('boom', (_?: unknown) => {
  ran.push('boom')
  if (isBroken) throw new Error('boom')
  return 'mended'
})

/** Lets a flow fail, whose code is another one then, which may not do other things. Gives how that ends. */
async function resumed(engine: Engine, now: () => Promise<unknown>, options: FlowOptions) {
  isBroken = true
  const job: Flow<[], unknown> = flow(
    'job',
    async () => {
      if (!isBroken) return now()
      await step(1)
      return boom()
    },
    options,
  )
  const first = engine.run(job)
  await first.wait()
  isBroken = false
  ran = []
  return engine.resume(first.id, job, { divergence: 'fail' }).wait()
}

const sequential = { executor: new SequentialExecutor() }

test('on sequential a call on hold lets others have their turns, and the flow run fails if nobody asks for what is left', async t => {
  const end = await resumed(
    engineFor(t),
    async () => {
      const held = step(2)
      const other = boom()
      return [await held, await other]
    },
    sequential,
  )
  t.match(end, { type: 'FAILED', error: { code: 'DIVERGED' }, message: /calls step-\w+-0 \(2\)/ })
  t.strictSame(ran, ['boom'])
})

test('on sequential a call on hold goes on when what was left has been asked for', async t => {
  const end = await resumed(
    engineFor(t),
    async () => {
      const held = step(2)
      const after = step([held])
      const other = await boom()
      return [await step(1), await held, await after, other]
    },
    sequential,
  )
  t.match(end, { type: 'COMPLETED', result: [1, 2, [2], 'mended'] })
  t.strictSame(ran, ['boom', 2, [2]])
})

test('on sequential a subflow has its turn while a call is on hold', async t => {
  const sub = flow('sub', async () => 'sub')
  const end = await resumed(
    engineFor(t),
    async () => {
      const held = step(2)
      const other = await sub()
      return [await step(1), other, await held]
    },
    sequential,
  )
  t.match(end, { type: 'COMPLETED', result: [1, 'sub', 2] })
})

for (const [kind, options] of Object.entries({ concurrent: {}, sequential }))
  test(`a subflow that waits for a call on hold of the flow around it does not keep that from failing: ${kind}`, async t => {
    const end = await resumed(
      engineFor(t),
      async () => {
        const held = step(2)
        const inner = flow('inner', async () => {
          const innermost = flow('innermost', async () => step([held]))
          return [await innermost(), await held]
        })
        return inner()
      },
      options,
    )
    t.match(end, { type: 'FAILED', error: { code: 'DIVERGED' } })
    t.strictSame(ran, [])
  })
