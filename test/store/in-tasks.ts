import { existsSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { ConcurrentExecutor, createEngine, flow, JsonStore, MemoryStore, ParallelExecutor, task } from 'mintaka'
import { type Test, test } from 'tap'
import { violations } from './fixtures/invariants.js'

// Who opens a store: the main thread, or a thread of the user's own. Never one that carries out tasks.

/** A module that makes an engine and a store at its top level, as a program does, and opens a store in its task. */
const module = (folder: string) => `
import { createEngine, JsonStore, MemoryStore } from 'mintaka'
const engine = createEngine()
engine.ready
export async function open() {
  const store = new JsonStore({ folder: ${JSON.stringify(folder)} })
  const warn = () => {}
  const codec = { encode: JSON.stringify, decode: JSON.parse }
  return store.open({ owner: 'a-task', codec, warn }).then(() => 'open', error => [error.code, error.message])
}
`

/** A folder in which the default store would be made, as `home`. */
function folderWithHome(t: Test): string {
  const folder = t.testdir()
  const before = process.env['MINTAKA_HOME']
  process.env['MINTAKA_HOME'] = `${folder}/home`
  t.teardown(() => {
    if (before === undefined) delete process.env['MINTAKA_HOME']
    else process.env['MINTAKA_HOME'] = before
  })
  return folder
}

test('a thread that carries out tasks opens no store, neither the default one nor any other', async t => {
  const folder = folderWithHome(t)
  writeFileSync(`${folder}/tasks.mjs`, module(`${folder}/other`))
  const open = task.fromModule<[], unknown>(pathToFileURL(`${folder}/tasks.mjs`).href, 'open')
  await using engine = createEngine({ store: new MemoryStore() })
  const refused = await engine.run(flow('f', () => open(), { executor: new ParallelExecutor({ threads: 1 }) }))
  t.match(refused, ['STORE_OPEN_FAILED', /other could not be opened: it was opened on a thread that carries out tasks/])
  t.notOk(existsSync(`${folder}/home`), 'the default one has not been made')
  t.notOk(existsSync(`${folder}/other`))
})

test('tasks that are sent to threads write to the store of their flow, and open none', async t => {
  const folder = folderWithHome(t)
  const twice = task('twice', (n: number) => n * 2)
  for (const executor of [new ParallelExecutor({ threads: 2 }), new ConcurrentExecutor()]) {
    await using engine = createEngine({ store: new JsonStore({ folder: `${folder}/own` }) })
    t.strictSame(await engine.run(flow('f', () => twice.map([1, 2, 3]), { executor })), [2, 4, 6])
  }
  t.notOk(existsSync(`${folder}/home`))
  t.strictSame(await violations(`${folder}/own`), [])
})

test('a thread of the user’s own may run flows on a store, beside the main thread', async t => {
  const folder = t.testdir()
  const code = `
    import { createEngine, flow, JsonStore, task } from 'mintaka'
    const engine = createEngine({ store: new JsonStore({ folder: ${JSON.stringify(folder)} }) })
    const twice = task('twice', n => n * 2)
    await engine.run(flow('on-a-thread', () => twice(21)))
    await engine.close()
  `
  const threads = [0, 1].map(
    () => new Worker(new URL(`data:text/javascript,${encodeURIComponent(withPath(code))}`), { execArgv: [] }),
  )
  await using engine = createEngine({ store: new JsonStore({ folder }) })
  await Promise.all([
    engine.run(flow('here', () => 1)),
    ...threads.map(thread => new Promise((resolve, reject) => thread.once('error', reject).once('exit', resolve))),
  ])
  t.strictSame((await engine.flowRuns.list()).map(({ run }) => [run.flowName, run.state.type]).sort(), [
    ['here', 'COMPLETED'],
    ['on-a-thread', 'COMPLETED'],
    ['on-a-thread', 'COMPLETED'],
  ])
})

/** What has no file finds no package by its name. */
function withPath(code: string): string {
  return code.replace("'mintaka'", JSON.stringify(new URL('../../dist/lib/index.js', import.meta.url).href))
}
