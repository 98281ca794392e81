import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { flow, JsonStore, type Store, task } from 'mintaka'
import { test } from 'tap'
import { engineFor, silent } from './fixtures/engine.js'

test("with code 'same' a subflow that other code completed is called again, and takes over what is the same in it", t => {
  const folder = t.testdir()
  const mintaka = import.meta.resolve('mintaka')
  const write = (name: string, text: string) => writeFileSync(`${folder}/${name}.mjs`, text)
  const work = (factor: number) =>
    `import { task } from '${mintaka}'
     export const work = task('work', x => { console.log('work', x); return x * ${factor} })`
  write('work', work(10))
  write(
    'steady',
    `import { task } from '${mintaka}'
     export const steady = task('steady', x => { console.log('steady', x); return x })`,
  )
  write(
    'job',
    `import { createEngine, flow, JsonStore } from '${mintaka}'
     import { steady } from './steady.mjs'
     import { work } from './work.mjs'
     const sub = flow('sub', async x => (await work(x)) + (await steady(x)))
     const [id, code] = process.argv.slice(2)
     const job = flow('job', async () => { const y = await sub(1); if (!id) throw new Error('no'); return y })
     const engine = createEngine({ store: new JsonStore({ folder: '${folder}/home' }), logLevel: 'error' })
     const run = id ? engine.resume(id, job, { code, divergence: 'fail' }) : engine.run(job)
     const state = await run.wait()
     console.log(run.id, state.name, state.result)
     await engine.close()`,
  )
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [`${folder}/job.mjs`, ...args], { encoding: 'utf8' })
      .trim()
      .split('\n')
  const first = run()
  t.match(first, ['work 1', 'steady 1', /Failed/])
  write('work', work(100))
  t.match(run(first[2]?.split(' ')[0] ?? '', 'same'), ['work 1', / Completed 101$/])
  t.end()
})

test('a report of what was taken over counts the last attempt', async t => {
  const engine = engineFor(t)
  const step = task('step', (value: number) => value)
  let failures = 2
  const job = flow('job', async () => {
    await Promise.all(step.map([1, 2]))
    if (failures-- > 0) throw new Error('once more')
    return 'done'
  })
  const first = engine.run(job)
  await first.wait()
  const resumed = engine.resume(first.id, job.with({ retries: 1 }))
  t.equal(await resumed, 'done')
  const stored = await engine.flowRuns.get(resumed.id)
  t.match(stored?.run.divergence, { reused: [{ taskName: 'step', count: 2 }], ranAgain: [], notKnown: [] })
})

test('a resumption that is lost before it begins has ended in the store, and is resumed in its turn', async t => {
  const store: Store = new JsonStore({ folder: t.testdir() })
  const list = store.listTaskRunsBriefly?.bind(store)
  const engine = engineFor(t, { store, logger: silent })
  let isBroken = true
  const job = flow('job', async () => {
    if (isBroken) throw new Error('broken')
    return 'done'
  })
  const first = engine.run(job)
  await first.wait()
  isBroken = false
  store.listTaskRunsBriefly = async () => {
    throw new Error('unreadable')
  }
  const lost = engine.resume(first.id, job)
  t.match(await lost.wait(), { type: 'CRASHED', message: /unreadable/ })
  t.match((await engine.flowRuns.get(lost.id))?.run, { state: { type: 'CRASHED' }, continues: first.id })
  store.listTaskRunsBriefly = list as NonNullable<typeof list>
  t.equal(await engine.resume(first.id, job), 'done')
})
