import { flow, JsonStore, task, unmapped } from 'mintaka'
import tap, { test } from 'tap'
import { engineFor, thrownBy } from './fixtures/engine.js'

tap.setTimeout(120_000) // much to do for a machine that is busy

/** More than a function can be given as arguments. */
const many = 130_000

let runs = 0
const count = task('count', (value: number) => {
  runs += 1
  return value
})
const length = task('length', (_: number, values: readonly number[]) => values.length)

test('a flow run of so many calls that no stack holds them is resumed', async t => {
  const engine = engineFor(t, { store: new JsonStore({ folder: t.testdir() }) })
  let isBroken = true
  const job = flow('job', async () => {
    await Promise.all(count.map(Array.from({ length: many }, (_, index) => index)))
    if (isBroken) throw new Error('broken')
    return 'done'
  })
  runs = 0
  const first = engine.run(job)
  await first.wait()
  t.equal(runs, many)
  isBroken = false
  t.equal(await engine.resume(first.id, job), 'done')
  t.equal(runs, many, 'nothing ran again')
})

test('a run waits for so many others that no stack holds them', async t => {
  const engine = engineFor(t)
  const job = flow('job', async () => {
    const all = count.map(Array.from({ length: many }, (_, index) => index))
    const lengths = length.map([1, 2], unmapped(all))
    const after = count.with({ waitFor: all })(7)
    return [await length(0, all), ...(await Promise.all(lengths)), await after]
  })
  t.strictSame(await engine.run(job), [many, many, many, 7])
})

test("with divergence 'fail' ten thousand calls on hold are told of in a few words", async t => {
  const engine = engineFor(t)
  let sign = 1
  const job = flow('job', async () => {
    await Promise.all(count.map(Array.from({ length: 10_000 }, (_, index) => sign * (index + 1))))
    throw new Error('broken')
  })
  const first = engine.run(job)
  await first.wait()
  sign = -1
  runs = 0
  const resumed = engine.resume(first.id, job, { divergence: 'fail' })
  const error = (await thrownBy(() => resumed)) as Error
  t.match(error, { code: 'DIVERGED', message: /calls count-\w+-0 \(-1\), .* and 9995 more, which had not completed/ })
  t.ok(error.message.length < 2000, error.message)
  const children = await engine.taskRuns.list(resumed.id)
  t.equal(children.length, 10_000)
  t.ok(children.every(({ run: { state } }) => state.type === 'CANCELLED' && (state.message?.length ?? 0) < 200))
  t.match(
    children[0]?.run.state.message,
    /^'count-\w+-0' was cancelled: flow run .* does other things than the run that it continues/,
  )
  t.equal(runs, 0)
})
