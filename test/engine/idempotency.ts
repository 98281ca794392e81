import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createEngine, flow, JsonStore, MemoryStore } from 'mintaka'
import tap, { type Test, test } from 'tap'
import { deferred, engineFor, silent, thrownBy, until } from './fixtures/engine.js'
import { storeThat } from './fixtures/stores.js'

tap.setTimeout(120_000) // a dozen processes, on whatever machine this is

const script = fileURLToPath(new URL('fixtures/keyed.mjs', import.meta.url))

function processesIn(t: Test) {
  const folder = `${t.testdir()}/home`
  const witness = `${folder}-witness`
  writeFileSync(witness, '')
  const start = (how: string, key?: string) => {
    const child = spawn(process.execPath, [script, folder, witness, how, ...(key ? [key] : [])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    return { child, said: text(child.stdout).then(said => said.trim()) }
  }
  return { folder, start, ran: () => readFileSync(witness, 'utf8').split('\n').filter(Boolean).length }
}

test('who dies between the claim and the first record leaves the run to one of those who want it', async t => {
  const { start, ran } = processesIn(t)
  t.equal(await start('claim').said, '')
  t.equal(ran(), 0)
  const followers = await Promise.all([1, 2, 3].map(() => start('work').said))
  t.strictSame(followers, ['Completed done', 'Completed done', 'Completed done'])
  t.equal(ran(), 1)
  t.equal(await start('claim').said, '', 'even a second death')
  t.equal(await start('work').said, 'Completed done')
  t.equal(ran(), 1)
})

test('who follows a run learns that its process has died, and does not run it again', async t => {
  const { folder, start, ran } = processesIn(t)
  const first = start('wait')
  while (ran() === 0) await sleep(10)
  const following = start('work')
  while (!existsSync(`${folder}/journals`)) await sleep(10)
  await sleep(500) // it follows by now, most likely; the end is the same if not
  first.child.kill('SIGKILL')
  t.match(await following.said, /^Crashed The process \d+ /)
  t.equal(ran(), 1)
  t.match(await start('work').said, /^Crashed/)
  t.equal(await start('work', 'another').said, 'Completed done')
})

test('who follows a run gets its result, and one that is paused is waited for', async t => {
  const { folder, start, ran } = processesIn(t)
  const first = start('wait')
  while (ran() === 0) await sleep(10)
  first.child.kill('SIGSTOP')
  const following = start('work')
  let isOver = false
  void following.said.then(() => (isOver = true))
  await sleep(1500)
  t.equal(isOver, false)
  writeFileSync(`${folder}/go`, '')
  first.child.kill('SIGCONT')
  t.equal(await following.said, 'Completed done')
  t.equal(await first.said, 'Completed done')
  t.equal(ran(), 1)
})

test('a run that could not be recorded gives its key back', async t => {
  const store = new MemoryStore()
  const create = store.createFlowRun.bind(store)
  let isBroken = true
  const failing = Object.assign(store, {
    createFlowRun: (...args: Parameters<typeof create>) =>
      isBroken ? (Promise.reject(new Error('no space')) as unknown as undefined) : create(...args),
  })
  const engine = engineFor(t, { store: failing })
  let runs = 0
  const f = flow('f', () => ++runs)
  t.match(await thrownBy(() => engine.run(f, undefined, { idempotencyKey: 'k' })), { message: 'no space' })
  isBroken = false
  const other = createEngine({ store: failing, logger: silent })
  t.equal(await other.run(f, undefined, { idempotencyKey: 'k' }), 1)
  t.equal(await engine.run(f, undefined, { idempotencyKey: 'k' }), 1)
  await other.close()
})

test('history is not searched for a key that is new', async t => {
  let asked = 0
  class Counting extends JsonStore {
    override async getFlowRun(id: string) {
      asked += 1
      return super.getFlowRun(id)
    }
  }
  const engine = engineFor(t, { store: new Counting({ folder: t.testdir() }) })
  const f = flow('f', () => 1)
  for (const key of ['a', 'b', 'c']) await engine.run(f, undefined, { idempotencyKey: key })
  t.equal(asked, 0)
})

test('a key whose run has been pruned is free again, in a process that lives on too', async t => {
  const folder = t.testdir()
  const store = new JsonStore({ folder })
  const engine = engineFor(t, { store })
  let runs = 0
  const f = flow('f', () => ++runs)
  const start = async () => {
    const short = createEngine({ store: new JsonStore({ folder }), logger: silent })
    const result = await short.run(f, undefined, { idempotencyKey: 'k' })
    await short.close()
    return result
  }
  t.equal(await start(), 1)
  t.equal(await start(), 1)
  t.equal((await engine.flowRuns.list()).length, 1)
  t.match(await store.prune({ keep: 0 }), { flowRuns: 1, claims: 1 })
  t.equal(await engine.run(f, undefined, { idempotencyKey: 'k' }), 2)
})

test('who follows a run that is removed, with its claim, begins it', async t => {
  const store = storeThat(() => undefined)
  const engine = engineFor(t, { store })
  let isRemoved = false
  let runs = 0
  const other = engineFor(t, {
    store: {
      ...store,
      open: async () => {},
      close: async () => {},
      claim: (key: string, value: string) => store.claim(isRemoved ? `${key} again` : key, value),
      getFlowRun: async (id: string) => (isRemoved && runs < 2 ? undefined : store.getFlowRun(id)),
    },
  })
  const ended = deferred()
  const f = flow('f', async () => (++runs === 1 ? ended.promise.then(() => 'first') : 'second'))
  const first = engine.run(f, undefined, { idempotencyKey: 'k' })
  await until(() => runs === 1)
  const second = other.run(f, undefined, { idempotencyKey: 'k' })
  setTimeout(() => (isRemoved = true), 300)
  t.equal(await second, 'second')
  ended.resolve()
  t.equal(await first, 'first')
})
