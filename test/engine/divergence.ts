import { type Engine, type Flow, flow, SequentialExecutor, task } from 'mintaka'
import { test } from 'tap'
import { deferred, engineFor, thrownBy } from './fixtures/engine.js'

let ran: unknown[] = []
let broken = new Set<unknown>()
const load = task('load', async (value: unknown) => {
  ran.push(value)
  if (broken.has(value)) throw new Error('broken')
  return value
})
const other = task('other', async (value: unknown) => {
  ran.push(value)
  return value
})

/** A run of `before` that fails, to be resumed with other code. */
async function failedRun(engine: Engine, before: Flow<[], unknown>, ...broke: unknown[]): Promise<string> {
  ran = []
  broken = new Set(broke)
  const run = engine.run(before)
  await run.wait()
  ran = []
  broken = new Set()
  return run.id
}

const reportOf = async (engine: Engine, id: string) => (await engine.flowRuns.get(id))?.run.divergence

test('what had completed and is not asked for is told by name, and so is what is new', async t => {
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, error() {}, warn: (message: string) => void warnings.push(message) }
  const engine = engineFor(t, { logger })
  const before = flow('etl', async () => {
    for (const year of ['2024', '2025', '2026']) await load(year)
    await load('broken')
  })
  const after = flow('etl', async () => {
    for (const year of ['2024', '2025', '2027']) await load(year)
    await other('x')
    return 'done'
  })
  const id = await failedRun(engine, before, 'broken')
  const resumed = engine.resume(id, after)
  t.equal(await resumed, 'done')
  t.strictSame(ran, ['2027', 'x'])
  t.match(await reportOf(engine, resumed.id), {
    diverged: true,
    notAskedFor: [{ taskName: 'load', count: 1, examples: [{ name: /^load-\w+-2$/, inputs: '"2026"' }] }],
    notKnown: [
      { taskName: 'load', count: 1, examples: [{ name: /^load-\w+-2$/, inputs: '"2027"' }] },
      { taskName: 'other', count: 1, examples: [{ inputs: '"x"' }] },
    ],
    ranAgain: [],
    reused: [{ taskName: 'load', count: 2 }],
  })
  t.equal(warnings.length, 1)
  t.match(warnings[0], /not asked for: load: load-\w+-2 \("2026"\).*not known: load: load-\w+-2 \("2027"\); other/)
})

test("with divergence 'fail' a changed call fails the run before anything is done twice", async t => {
  const engine = engineFor(t)
  const before = flow('etl', async () => {
    await load('2026')
    await load('broken')
  })
  const after = flow('etl', async () => {
    await other('first')
    await load('2027')
    return 'done'
  })
  const id = await failedRun(engine, before, 'broken')
  const resumed = engine.resume(id, after, { divergence: 'fail' })
  t.match(await thrownBy(() => resumed), {
    code: 'DIVERGED',
    message: /calls load-\w+-0 \("2027"\).*load: load-\w+-0 \("2026"\)/,
  })
  t.strictSame(ran, ['first'])
  t.match(await resumed.wait(), { type: 'FAILED' })
  t.match(await reportOf(engine, resumed.id), { diverged: true, notAskedFor: [{ taskName: 'load' }] })
})

test("with divergence 'fail' what is asked for no more fails the run at its end, whatever its retries", async t => {
  const engine = engineFor(t)
  const before = flow('etl', async () => {
    await load('2026')
    await load('broken')
  })
  let attempts = 0
  const after = flow(
    'etl',
    async () => {
      attempts += 1
      return other('x')
    },
    { retries: 2 },
  )
  const id = await failedRun(engine, before, 'broken')
  t.match(await thrownBy(() => engine.resume(id, after, { divergence: 'fail' })), {
    code: 'DIVERGED',
    message: /did not ask for what had completed there: load: load-\w+-0 \("2026"\)/,
  })
  t.equal(attempts, 1)
})

for (const executor of [undefined, new SequentialExecutor()])
  test(`with divergence 'fail' another order is no divergence: ${executor?.name ?? 'concurrent'}`, async t => {
    const engine = engineFor(t)
    const values = Array.from({ length: 40 }, (_, index) => `value ${index}`)
    const missing = new Set(values.filter((_, index) => index % 3 === 0))
    let order = values
    const many = flow(
      'many',
      async () => {
        const firsts = await Promise.allSettled(order.map(value => load(value)))
        if (firsts.some(({ status }) => status === 'rejected')) throw new Error('again')
        return Promise.all(order.toReversed().map(value => other(load({ value }))))
      },
      executor && { executor },
    )
    const id = await failedRun(engine, many, ...missing)
    order = values.toSorted((a, b) => a.length - b.length || b.localeCompare(a))
    const resumed = engine.resume(id, many, { divergence: 'fail' })
    t.equal((await resumed.wait()).name, 'Completed')
    const again = new Set(ran.slice(0, missing.size))
    t.strictSame(again, missing, 'only what had failed ran again')
    t.match(await reportOf(engine, resumed.id), { diverged: false, notAskedFor: [] })
  })

test("with divergence 'fail' a call that came first waits for those that are still to be made", async t => {
  const engine = engineFor(t)
  const gate = deferred()
  let changed = false
  const job = flow('job', async () => {
    if (!changed) {
      await load('a')
      return load('broken')
    }
    // New work of the same task is called before the old, which a slow task leads to.
    const first = load('new')
    const slow = other('slow')
    await Promise.race([slow, gate.promise])
    const old = await load('a')
    return [await first, old]
  })
  const id = await failedRun(engine, job, 'broken')
  changed = true
  const resumed = engine.resume(id, job, { divergence: 'fail' })
  gate.resolve()
  t.strictSame(await resumed, ['new', 'a'])
  t.strictSame(ran, ['slow', 'new'])
})

test("with divergence 'fail' a subflow with other parameters fails, and so does what it is a part of", async t => {
  const engine = engineFor(t)
  let n = 1
  const sub = flow('sub', async (p: { n: number }) => load(p.n))
  const main = flow('main', async () => {
    await sub({ n })
    return load('broken')
  })
  const id = await failedRun(engine, main, 'broken')
  n = 2
  const resumed = engine.resume(id, main, { divergence: 'fail' })
  t.match(await thrownBy(() => resumed), { code: 'DIVERGED', message: /calls sub-\w+-0 \({n}\)/ })
  t.strictSame(ran, [])
})

test('a run that fails again is not said to have diverged by what it did not come to', async t => {
  const engine = engineFor(t)
  let isEarly = false
  const job = flow('job', async () => {
    if (isEarly) throw new Error('early')
    await load('a')
    return load('broken')
  })
  const id = await failedRun(engine, job, 'broken')
  isEarly = true
  const resumed = engine.resume(id, job, { divergence: 'fail' })
  t.match(await thrownBy(() => resumed), { message: 'early' })
  t.match(await reportOf(engine, resumed.id), { diverged: false, notAskedFor: [{ taskName: 'load', count: 1 }] })
})

test("with code 'same' what other code did is done again, and is no divergence", async t => {
  const folder = t.testdir()
  const { writeFileSync } = await import('node:fs')
  const { execFileSync } = await import('node:child_process')
  const mintaka = import.meta.resolve('mintaka')
  const write = (extra: string) =>
    writeFileSync(
      `${folder}/job.mjs`,
      `import { createEngine, flow, JsonStore, task } from '${mintaka}'
       const work = task('work', x => { console.log('work', x); return x })
       const job = flow('job', async () => { await work(1); await work(2)${extra} })
       const engine = createEngine({ store: new JsonStore({ folder: '${folder}/home' }), logLevel: 'error' })
       const [id, code] = process.argv.slice(2)
       const run = id ? engine.resume(id, job, { code, divergence: 'fail' }) : engine.run(job)
       const state = await run.wait()
       console.log(run.id, state.name)
       await engine.close()
      `,
    )
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [`${folder}/job.mjs`, ...args], { encoding: 'utf8' })
      .trim()
      .split('\n')
  write("; throw new Error('no')")
  const first = run()
  t.strictSame(first.slice(0, 2), ['work 1', 'work 2'])
  const id = first[2]?.split(' ')[0] ?? ''
  t.match(first[2], /Failed/)
  const second = run(id, 'same')
  t.equal(second.length, 1, 'nothing was edited: nothing runs')
  write('')
  const same = run(second[0]?.split(' ')[0] ?? '', 'same')
  t.match(same, ['work 1', 'work 2', /Completed/])
})
