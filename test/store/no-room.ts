import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { type Test, test } from 'tap'
import { states } from '../../lib/core/state.js'
import { JsonStore } from '../../lib/store/json.js'
import { codec } from '../../lib/values/json.js'
import { violations } from './fixtures/invariants.js'
import { change, flowRun, taskRun } from './fixtures/runs.js'

// What has a file of its own is written now or not at all. There is no room because this process may not let any file
// grow, for as long as one function takes.

const mayLimit = spawnSync('prlimit', ['--version']).status === 0

// Node ignores this one, which comes with a limit on file sizes. What tap loads into its tests would die of it.
process.on('SIGXFSZ', () => {})

function limit(bytes: string): void {
  spawnSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`])
}

async function withoutRoom<T>(body: () => T | Promise<T>): Promise<T> {
  limit('0')
  try {
    return await body()
  } finally {
    limit('unlimited')
  }
}

async function opened(t: Test, folder = t.testdir()) {
  const warnings: string[] = []
  const store = new JsonStore({ folder })
  await store.open({ owner: 'w', codec, warn: message => warnings.push(message) })
  t.teardown(() => store.close())
  return { store, folder, warnings }
}

if (mayLimit) {
  test('a claim, a command and a cached result that there is no room for are refused, and nothing of them is left', async t => {
    const { store, folder } = await opened(t)
    const entry = { state: states.completed(1, 'x'.repeat(1000)), runId: 'run-1' }
    const large = { state: states.completed(1, 'x'.repeat(200_000)), runId: 'run-2' }
    const refused = { code: 'STORE_WRITE_FAILED', message: /could not be written in .*: EFBIG/ }
    await withoutRoom(async () => {
      await t.rejects(store.claim('key', 'value'), refused)
      await t.rejects(store.post('w', { type: 'cancel', runId: 'run-1' }), refused)
      t.throws(() => store.putCached('key', entry), refused)
      try {
        store.putCached('large', large)
      } catch (error) {
        t.match(error, refused)
      }
    })
    t.strictSame(filesIn(folder, 'tmp', 'claims', 'cache', 'results'), [])
    t.equal(store.getCached('key'), undefined)
    t.strictSame(await store.takePosted('w'), [])
    t.strictSame(await store.claim('key', 'later').then(({ isNew }) => isNew), true)
    store.putCached('key', entry)
    t.match(store.getCached('key'), { runId: 'run-1' })
  })

  test('a large result that there is no room for is not kept, and its run says why', async t => {
    const { store, folder } = await opened(t)
    const flow = flowRun('flow')
    await store.createFlowRun(flow)
    const run = taskRun('task', 'flow')
    store.createTaskRun(run)
    let ack: Promise<void> | undefined
    await withoutRoom(() => {
      ack = change(store, run, states.completed(2000, 'x'.repeat(200_000)))
    })
    await ack
    await change(store, flow, states.completed(2001, 1))
    t.match((await store.getTaskRun('task'))?.run.state, { type: 'COMPLETED', result: { notPersisted: /EFBIG/ } })
    t.strictSame(filesIn(folder, 'tmp', 'results'), [])
    await store.close()
    t.strictSame(await violations(folder), [])
  })

  test('a catalogue that there is no room for when the store is closed is a warning; the runs are there', async t => {
    const { store, folder, warnings } = await opened(t)
    const run = flowRun('flow')
    await store.createFlowRun(run)
    await change(store, run, states.completed(2000, 1))
    const before = filesIn(folder, '.')
    await withoutRoom(() => store.close())
    t.match(warnings.join('\n'), /Its runs are saved; only that it is closed is not/)
    t.match(warnings.join('\n'), /could not be (folded|written): EFBIG/)
    t.strictSame(filesIn(folder, '.'), before)
    const again = await opened(t, folder)
    t.equal((await again.store.getFlowRun('flow'))?.run.state.type, 'COMPLETED')
  })

  test('a store that there is no room to make cannot be opened, and says so; later it can', async t => {
    const folder = `${t.testdir()}/new`
    mkdirSync(folder)
    const store = new JsonStore({ folder })
    await withoutRoom(() =>
      t.rejects(store.open({ owner: 'w', codec, warn: message => t.fail(message) }), {
        code: 'STORE_OPEN_FAILED',
        message: /new could not be opened: /,
      }),
    )
    t.strictSame(filesIn(folder, 'tmp'), [])
    await opened(t, folder)
  })
}

test('there is a way to run out of room on this machine, if it is Linux', t => {
  t.ok(process.platform !== 'linux' || mayLimit)
  t.end()
})

/** The files in some folders of the store, and in theirs. */
function filesIn(folder: string, ...names: string[]): string[] {
  return names.flatMap(name => {
    try {
      const found = readdirSync(`${folder}/${name}`, { recursive: name !== '.', withFileTypes: true })
      return found.filter(each => each.isFile()).map(each => each.name)
    } catch {
      return []
    }
  })
}
