import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import tap, { type Test, test } from 'tap'
import { isMintakaError } from '../../lib/core/errors.js'
import { isTerminal } from '../../lib/core/state.js'
import { JsonStore } from '../../lib/store/json.js'
import { verifyStore } from '../../lib/store/verify.js'
import { codec } from '../../lib/values/json.js'
import { Random, seedFromEnvironment } from '../fixtures/random.js'
import { readWitness, violations } from './fixtures/invariants.js'

tap.setTimeout(240_000) // processes that write until they are killed, on whatever machine this is

// Several processes share one folder. They run what has been built: `npm run build` comes first.

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url))

function start(t: Test, name: string, ...args: (string | number)[]) {
  const child = spawn(process.execPath, [fixture(name), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', data => (output += data))
  child.stderr.on('data', data => (output += data))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }))
  return { child, ended }
}

async function opened(t: Test, folder: string, options: { readOnly?: boolean } = {}) {
  const store = new JsonStore({ folder })
  const warnings: string[] = []
  await store.open({ owner: `test-${++openings}`, codec, warn: message => warnings.push(message), ...options })
  t.teardown(() => store.close())
  return { store, warnings }
}
let openings = 0

const linesOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [])

/** Waits until a process has noted that many acknowledged runs, without a guess at how long that takes. */
async function acknowledged(witness: string, count: number, child: ChildProcess): Promise<void> {
  while (linesOf(witness).length < count) {
    if (child.exitCode !== null) throw new Error('the writer has ended early')
    await nextTurn()
  }
}

test('while one process writes, another one lists: never a parse error, and counts only grow', async t => {
  const folder = t.testdir()
  const witness = `${folder}/witness`
  const writer = start(t, 'writer', folder, 'w', 5000, witness)
  await acknowledged(witness, 1, writer.child)
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  let before = 0
  let states = 0
  for (let round = 0; round < 50; round += 1) {
    const atLeast = linesOf(witness).length
    const [flowRun] = await store.listFlowRuns()
    const runs = await store.listTaskRuns('flow-w')
    const completed = runs.filter(({ run }) => run.state.type === 'COMPLETED').length
    const statesNow = runs.reduce((sum, run) => sum + run.states.length, 0)
    if (!flowRun || completed < atLeast || runs.length < before || statesNow < states)
      t.fail(`round ${round}: ${completed} of ${atLeast}, ${runs.length} after ${before}`)
    before = runs.length
    states = statesNow
  }
  t.strictSame(await writer.ended, { code: 0, output: '' })
  t.equal((await store.listTaskRuns('flow-w')).length, 5001)
  t.equal((await store.getFlowRun('flow-w'))?.run.state.type, 'COMPLETED')
  t.strictSame(warnings, [])
})

test('two processes write at once, each its own journal, and both are complete', async t => {
  const folder = t.testdir()
  const writers = ['a', 'b'].map(owner => start(t, 'writer', folder, owner, 1500, `${folder}/witness-${owner}`))
  for (const { ended } of writers) t.strictSame(await ended, { code: 0, output: '' })
  const { store, warnings } = await opened(t, folder)
  t.strictSame((await store.listFlowRuns()).map(({ run }) => [run.id, run.state.type]).sort(), [
    ['flow-a', 'COMPLETED'],
    ['flow-b', 'COMPLETED'],
  ])
  for (const owner of ['a', 'b']) {
    const runs = await store.listTaskRuns(`flow-${owner}`)
    t.strictSame(
      runs.slice(1).map(({ run }) => run.id),
      linesOf(`${folder}/witness-${owner}`),
    )
    t.ok(runs.slice(1).every(({ run, states }) => run.state.type === 'COMPLETED' && states.length === 3))
  }
  t.strictSame(readdirSync(`${folder}/journals`).sort(), ['a.0001.ndjson', 'b.0001.ndjson'])
  t.strictSame(warnings, [])
  const acknowledged = ['a', 'b'].flatMap(owner => readWitness(`${folder}/witness-${owner}`))
  t.strictSame(await violations(folder, { acknowledged }), [])
})

for (const atOnce of [1, 100])
  test(`after kill -9 everything acknowledged is there in order, and what was running is CRASHED once: ${atOnce} at once`, async t => {
    const folder = t.testdir()
    const witness = `${folder}/witness`
    const { child, ended } = start(t, 'writer', folder, 'w', 0, witness, atOnce)
    await acknowledged(witness, atOnce === 1 ? 300 : 30_000, child)
    child.kill('SIGKILL')
    await ended

    const openers = ['x', 'y', 'z'].map(owner => start(t, 'opener', folder, owner))
    const outputs = await Promise.all(openers.map(({ ended }) => ended))
    t.equal(
      outputs
        .map(({ output }) => output)
        .join('')
        .match(/(is|are) CRASHED/g)?.length,
      1,
      'one of them says so',
    )
    t.strictSame(readdirSync(`${folder}/journals`).sort(), ['w.0001.ndjson', 'w.ended'])

    const { store, warnings } = await opened(t, folder)
    t.strictSame(warnings, [])
    const flowRun = await store.getFlowRun('flow-w')
    t.strictSame(
      flowRun?.states.map(state => state.name),
      ['Pending', 'Running', 'Crashed'],
    )
    const state = flowRun?.run.state
    t.ok(state?.type === 'CRASHED' && isMintakaError(state.error, 'CRASHED'))
    t.match(
      state?.message,
      new RegExp(`^The process ${child.pid} on host '.*' that carried out flow run 'calm-owl'.* from 20..-`),
    )
    t.equal(flowRun?.run.endTime, state?.timestamp)

    const runs = await store.listTaskRuns('flow-w')
    t.equal(runs[0]?.run.state.name, 'NotReady', 'what waited for ever rests')
    const ids = linesOf(witness)
    t.strictSame(
      runs.slice(1, ids.length + 1).map(({ run }) => run.id),
      ids,
    )
    t.ok(
      runs.slice(1, ids.length + 1).every(({ run, states }) => run.state.type === 'COMPLETED' && states.length === 3),
    )
    t.ok(runs.slice(1).every(({ states }) => states.filter(isTerminal).length === 1))
    t.ok(runs.length - 1 - ids.length <= atOnce, 'no more were under way')
    t.strictSame(await violations(folder, { acknowledged: readWitness(witness) }), [])
  })

test('the runs of a process that is merely paused are left alone', async t => {
  const folder = t.testdir()
  const witness = `${folder}/witness`
  const { child } = start(t, 'writer', folder, 'w', 0, witness)
  await acknowledged(witness, 10, child)
  child.kill('SIGSTOP')
  const { store, warnings } = await opened(t, folder)
  t.equal((await store.getFlowRun('flow-w'))?.run.state.type, 'RUNNING')
  t.strictSame(warnings, [])
  t.strictSame(readdirSync(`${folder}/journals`), ['w.0001.ndjson'])
  const before = linesOf(witness).length
  child.kill('SIGCONT')
  await acknowledged(witness, before + 10, child)
})

test('a folder without permission is refused with a sentence that says what to do', async t => {
  const folder = t.testdir({ store: {} })
  const store = new JsonStore({ folder: `${folder}/store` })
  await store.open({ owner: 'first', codec, warn: () => {} })
  await store.close()
  chmodSync(`${folder}/store`, 0)
  // Root may do everything, and becomes somebody else.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const child = spawn(process.execPath, [fixture('opener'), `${folder}/store`, 'x'], nobody)
  let output = ''
  child.stdout.on('data', data => (output += data))
  await once(child, 'close')
  chmodSync(`${folder}/store`, 0o700)
  t.match(
    output,
    /^STORE_OPEN_FAILED: The store in .*store could not be opened: there is no permission to use .*journals/,
  )
  t.match(output, /set MINTAKA_HOME/)
})

test('processes that are killed while they fold lose nothing, and nothing is there twice', async t => {
  const folder = t.testdir()
  const witness = `${folder}-witness`
  t.teardown(() => rmSync(witness, { force: true }))
  const seed = seedFromEnvironment()
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  for (let round = 0; round < 12; round += 1) {
    const { child, ended } = start(t, 'sessions', folder, `r${round}`, 0, witness)
    await acknowledged(witness, linesOf(witness).length + 1, child)
    await new Promise(resolve => setTimeout(resolve, random.below(150)))
    child.kill('SIGKILL')
    t.strictSame((await ended).output, '')
  }
  const { store, warnings } = await opened(t, folder)
  const runs = await store.listFlowRuns()
  const ids = runs.map(({ run }) => run.id)
  t.equal(new Set(ids).size, ids.length, 'each is there once')
  t.strictSame(
    linesOf(witness).filter(id => !ids.includes(id)),
    [],
    'none is lost',
  )
  for (const { run, states } of runs) {
    const tasks = await store.listTaskRuns(run.id)
    const isWhole = run.state.name === 'Crashed' || (states.length === 3 && tasks.length === 1)
    if (!isWhole || !isTerminal(run.state)) t.fail(`${run.id} is ${run.state.name}, after ${states.length} states`)
  }
  t.ok(
    warnings.every(text => text.includes('CRASHED') || text.includes('was never finished')),
    `${warnings}`,
  )
  await store.close()
  t.strictSame((await verifyStore(folder)).problems, [])
  t.notOk(existsSync(`${folder}/fold.lock`))
})

test('ten processes write and fold at once, others read meanwhile, and all histories are complete', async t => {
  const folder = t.testdir()
  const witness = `${folder}-witness`
  t.teardown(() => rmSync(witness, { force: true }))
  const long = ['a', 'b', 'c'].map(owner => start(t, 'writer', folder, owner, 600, `${folder}-${owner}`))
  t.teardown(() => ['a', 'b', 'c'].forEach(owner => void rmSync(`${folder}-${owner}`, { force: true })))
  const short = Array.from({ length: 7 }, (_, index) => start(t, 'sessions', folder, `s${index}`, 8, witness))
  const all = Promise.all([...long, ...short].map(({ ended }) => ended))
  let isOver = false
  void all.then(() => (isOver = true))
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  for (let before = 0; !isOver; ) {
    const atLeast = linesOf(witness).length
    const runs = await store.listFlowRuns()
    const completed = runs.filter(({ run }) => run.state.type === 'COMPLETED').length
    if (completed < atLeast || runs.length < before)
      t.fail(`${completed} of ${atLeast}, ${runs.length} after ${before}`)
    if (new Set(runs.map(({ run }) => run.id)).size < runs.length) t.fail('a flow run is there twice')
    before = runs.length
  }
  for (const ended of await all) t.strictSame(ended, { code: 0, output: '' })
  t.equal((await store.listFlowRuns({ state: ['completed'] })).length, 3 + 7 * 8)
  for (const owner of ['a', 'b', 'c']) t.equal((await store.listTaskRuns(`flow-${owner}`)).length, 601)
  t.strictSame(warnings, [])
  t.strictSame((await verifyStore(folder)).problems, [])
})

test('a folder that may only be read is read', async t => {
  const folder = t.testdir({ store: {} })
  const writer = start(t, 'writer', `${folder}/store`, 'w', 5, `${folder}/witness`)
  await writer.ended
  const names = readdirSync(`${folder}/store/journals`)
  // A store is its owner's alone, unless the owner lets others in.
  for (const name of ['', ...readdirSync(`${folder}/store`)]) chmodSync(`${folder}/store/${name}`, 0o755)
  // Root may do everything, and becomes somebody else.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const bin = fileURLToPath(new URL('../../dist/lib/cli/bin.js', import.meta.url))
  const run = async (...args: string[]) => {
    const child = spawn(process.execPath, [bin, '--home', `${folder}/store`, ...args], nobody)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += data))
    const [code] = await once(child, 'close')
    return { code, output }
  }
  t.match(await run('flow-run', 'ls'), { code: 0, output: /calm-owl .* Completed/ })
  t.match(await run('flow-run', 'inspect', 'flow-w'), { code: 0, output: /load/ })
  t.match(await run('store', 'verify'), { code: 0, output: /^All is well: 1 flow runs/ })
  t.match(await run('store', 'prune', '--keep', '0'), { code: 1, output: /there is no permission to use/ })
  t.strictSame(readdirSync(`${folder}/store/journals`), names)
  chmodSync(`${folder}/store/journals`, 0)
  t.match(await run('flow-run', 'ls'), { code: 1, output: /there is no permission to use .*journals/ })
  chmodSync(`${folder}/store/journals`, 0o755)
})
