import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import tap, { test } from 'tap'
import { type State, states } from '../../lib/core/state.js'
import type { JsonStore } from '../../lib/store/json.js'
import { headerLine } from '../../lib/store/lines/line.js'
import { seal } from '../../lib/store/lines/seal.js'
import { thisProcess } from '../../lib/store/process-id.js'
import { change, flowRun, taskRun } from './fixtures/runs.js'
import { carryOut, fold, idsOf, manySessions, opened, told } from './fixtures/sessions.js'

tap.setTimeout(240_000) // hundreds of stores are opened and synced, on whatever machine this is

const journalsIn = (folder: string) => readdirSync(`${folder}/journals`)
const catalogueIn = (folder: string) => JSON.parse(readFileSync(`${folder}/catalogue.json`, 'utf8'))

test('what has been folded reads as before', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 9)
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  const before = await told(store)
  t.strictSame(await fold(t, folder), [])
  t.strictSame(await told(store), before, 'to one who has looked before')
  const { store: fresh } = await opened(t, folder, { readOnly: true })
  t.strictSame(await told(fresh), before)
  t.strictSame((await fresh.getTaskRun('run-3-1'))?.run.state, states.completed(1004 + ((3 * 7) % 9), { number: 1 }))
  t.equal(catalogueIn(folder).segments[0].runs, 9)
  t.strictSame(Object.keys(catalogueIn(folder).flows).sort(), ['flow-0', 'flow-1', 'flow-2'])
  t.equal(journalsIn(folder).length, 9, 'they go one generation later')
  const late = await opened(t, folder, { owner: 'late' })
  await carryOut(late.store, 'late', 5000)
  await late.store.close()
  t.strictSame(await fold(t, folder), [])
  t.strictSame(journalsIn(folder), ['late.0001.ndjson'])
  t.equal((await fresh.listFlowRuns()).length, 10)
  t.strictSame(warnings, [])
})

test('folding begins by itself when there are many journals, and short lives do it in total', async t => {
  const folder = t.testdir()
  for (let index = 0; index < 100; index += 1) {
    const { store } = await opened(t, folder, { owner: `s-${index}`, foldJournals: 8 })
    await carryOut(store, `run-${index}`, 1000 + index)
    await store.close()
  }
  t.ok(journalsIn(folder).length <= 24, `${journalsIn(folder).length} journals are left`)
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  t.equal((await store.listFlowRuns()).length, 100)
  t.strictSame(warnings, [])
  t.notOk(existsSync(`${folder}/fold.lock`))
})

test('the newest come first whatever the order of folding, with any limit and any filter', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 40)
  const { store: all } = await opened(t, folder, { readOnly: true })
  const filters = [
    {},
    { flowName: ['flow-1'] },
    { state: ['failed'] },
    { state: ['completed'] },
    { match: 'run-1' },
    { match: 'name of run-7' },
  ]
  const lists = async (store: JsonStore) => {
    const ids = []
    for (const filter of filters)
      for (const limit of [1, 2, 5, 39, 100, undefined])
        ids.push((await store.listFlowRuns({ ...filter, limit })).map(({ run }) => run.id))
    return ids
  }
  const expected = await lists(all)
  await fold(t, folder, { historyBytes: 4000 })
  t.ok(readdirSync(`${folder}/history`).length >= 1)
  const { store } = await opened(t, folder, { readOnly: true })
  t.strictSame(await lists(store), expected)
  const live = await opened(t, folder)
  await carryOut(live.store, 'in between', 1020.5)
  const [first, ...others] = await live.store.listFlowRuns({ limit: 25 })
  t.ok(first && others.every(({ run }, index) => run.created <= (index === 0 ? first : others[index - 1]!).run.created))
  t.ok(others.some(({ run }) => run.id === 'in between'))
})

test('what ends a dead process is folded with its runs', async t => {
  const folder = t.testdir()
  const { store: before } = await opened(t, folder, { owner: 'w' })
  const flow = flowRun('flow')
  await before.createFlowRun(flow)
  await change(before, flow, states.running(1001, 1))
  const task = taskRun('flow-0', 'flow')
  before.createTaskRun(task)
  await change(before, task, states.running(1002, 1))
  await before.listFlowRuns()
  const path = `${folder}/journals/w.0001.ndjson`
  const text = readFileSync(path, 'utf8')
  await before.close()
  const dead = { ...thisProcess(), pid: spawnSync(process.execPath, ['--version']).pid }
  const header = seal(headerLine({ format: 3, owner: 'w', process: dead, created: 1, journal: 'w', segment: 1 }))
  writeFileSync(path, header + header + text.split('\n').slice(2).join('\n'))
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  const lost = await store.getFlowRun('flow')
  t.strictSame([lost?.run.state.name, lost?.ownerGone], ['Running', true], 'a reader changes nothing, and says so')
  t.match(await fold(t, folder), [/^2 runs of process \d+ are CRASHED/])
  const names = (each: { states: readonly State[] } | undefined) => each?.states.map(({ name }) => name)
  t.strictSame(names(await store.getFlowRun('flow')), ['Pending', 'Running', 'Crashed'])
  t.strictSame(names(await store.getTaskRun('flow-0')), ['Pending', 'Running', 'Crashed'])
  t.equal((await store.getFlowRun('flow'))?.ownerGone, undefined)
  t.equal(catalogueIn(folder).segments[0].runs, 1)
  t.strictSame(warnings, [])
})

test('flow runs that have ended leave the journal of an engine that lives on, and late lines follow them', async t => {
  const folder = t.testdir()
  const options = { owner: 'server', segmentBytes: 6000 }
  const hasFolded = () => catalogueIn(folder).segments.length > 0
  const { store, warnings } = await opened(t, folder, options)
  const long = flowRun('long', { created: 1 })
  await store.createFlowRun(long)
  await change(store, long, states.running(2, 1))
  for (let index = 0; index < 200; index += 1) {
    await carryOut(store, `run-${index}`, 1000 + index)
    if (index % 10 === 5) {
      store.appendLog({ flowRunId: `run-${index - 5}`, level: 'warn', message: 'late', timestamp: 9000 })
      store.appendLog({ flowRunId: 'long', level: 'info', message: `still here ${index}`, timestamp: 9000 })
    }
    // It folds in the background: it has its time once.
    while (index === 60 && !hasFolded()) await nextTurn()
  }
  const check = async (store: JsonStore, what: string) => {
    const runs = await store.listFlowRuns()
    t.equal(runs.length, 201, what)
    t.equal((await store.listTaskRuns('run-7')).length, 2, what)
    const logs = await Promise.all(runs.map(({ run }) => store.listLogs(run.id)))
    t.strictSame(
      runs
        .filter((_, index) => logs[index]!.filter(({ message }) => message === 'late').length === 1)
        .map(({ run }) => run.id)
        .sort(),
      Array.from({ length: 20 }, (_, index) => `run-${index * 10}`).sort(),
      what,
    )
    t.equal((await store.listLogs('long')).length, 20, what)
    t.equal((await store.getFlowRun('long'))?.states.length, 2, what)
  }
  await check(store, 'its own engine')
  const reader = await opened(t, folder, { readOnly: true })
  await check(reader.store, 'a reader')
  t.ok(hasFolded())
  t.ok(catalogueIn(folder).segments[0].runs > 0)
  await store.close()
  await check(reader.store, 'a reader after the end')
  await fold(t, folder)
  await check(reader.store, 'all of it folded')
  await fold(t, folder)
  t.strictSame([...warnings, ...reader.warnings], [])
})

test('a damaged index is made anew, by readers in memory and by who rebuilds for good', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 12)
  await fold(t, folder)
  const path = `${folder}/index/0001.ndjson`
  const whole = readFileSync(path)
  const { store: before } = await opened(t, folder, { readOnly: true })
  const expected = await told(before)
  for (let at = 0; at < whole.length; at += 211) {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 0x15
    writeFileSync(path, bytes)
    const { store, warnings } = await opened(t, folder, { readOnly: true })
    if (JSON.stringify(await told(store)) !== JSON.stringify(expected)) t.fail(`at byte ${at}`)
    t.match(warnings, [/^The index .*0001\.ndjson is damaged\. It is made anew from the history/])
    await store.close()
  }
  for (const length of [0, 1, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length))
    const { store } = await opened(t, folder, { readOnly: true })
    t.strictSame(await told(store), expected)
    t.equal(await store.getFlowRun('nothing of the kind'), undefined)
  }
})

test('a damaged history costs the damaged line, and says where it was', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 3)
  await fold(t, folder)
  const path = `${folder}/history/0001.ndjson`
  const whole = readFileSync(path)
  const { store: before } = await opened(t, folder, { readOnly: true })
  const statesOf = async (store: JsonStore) => {
    const runs = await store.listFlowRuns()
    const tasks = (await Promise.all(runs.map(({ run }) => store.listTaskRuns(run.id)))).flat()
    return {
      runs: runs.length,
      tasks: tasks.length,
      states: [...runs, ...tasks].flatMap(({ states }) => states).length,
    }
  }
  const all = await statesOf(before)
  for (let at = 0; at < whole.length; at += 11) {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 0x01
    writeFileSync(path, bytes)
    const { store, warnings } = await opened(t, folder, { readOnly: true })
    const { runs, tasks, states } = await statesOf(store)
    await Promise.all((await store.listFlowRuns()).map(({ run }) => store.listLogs(run.id)))
    if (runs !== all.runs || tasks < all.tasks - 1 || states < all.states - 2)
      t.fail(`at byte ${at}: ${runs} ${tasks} ${states}`)
    if (!warnings.some(text => text.includes('history/0001.ndjson'))) t.fail(`nothing was said of byte ${at}`)
    await store.close()
  }
})

test('a folding that fails is a warning, costs nothing, and is made up for', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 3)
  const { store } = await opened(t, folder, { readOnly: true })
  const before = await told(store)
  writeFileSync(`${folder}/history`, 'in the way')
  t.match(await fold(t, folder), [/could not be folded: .*They stay as they are; it is tried again later/])
  t.strictSame(await told(store), before)
  t.strictSame(journalsIn(folder).length, 3)
  t.strictSame(catalogueIn(folder).segments, [])
  t.notOk(existsSync(`${folder}/fold.lock`))
  rmSync(`${folder}/history`)
  t.strictSame(await fold(t, folder), [])
  t.strictSame(await told(store), before)
  t.equal(catalogueIn(folder).segments[0].runs, 3)
})

test('what a folding has left that did not come to its end is written over', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 3)
  await fold(t, folder)
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  const before = await told(store)
  for (const file of ['history', 'index']) appendFileSync(`${folder}/${file}/0001.ndjson`, '{"half a li'.repeat(1000))
  t.strictSame(await told(store), before)
  const { store: next } = await opened(t, folder, { owner: 'next' })
  await carryOut(next, 'next', 9000)
  await next.close()
  t.strictSame(await fold(t, folder), [])
  t.equal((await store.listFlowRuns()).length, 4)
  t.notMatch(readFileSync(`${folder}/history/0001.ndjson`, 'utf8'), 'half a li')
  t.strictSame(warnings, [])
})

test('a journal with damage is kept when it has been folded', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 2)
  const path = `${folder}/journals/session-0.0001.ndjson`
  const text = readFileSync(path, 'utf8').replace('log of run-0', 'lot of run-0')
  writeFileSync(path, text)
  await fold(t, folder)
  const { store } = await opened(t, folder, { owner: 'next' })
  await carryOut(store, 'next', 9000)
  await store.close()
  await fold(t, folder)
  t.equal(readFileSync(`${folder}/damaged/session-0.0001.ndjson`, 'utf8'), text)
  t.strictSame(journalsIn(folder), ['next.0001.ndjson'])
})

test('a lock of another host leaves the journals as they are, with advice', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 2)
  const elsewhere = { ...thisProcess(), host: 'elsewhere' }
  writeFileSync(`${folder}/fold.lock`, JSON.stringify({ token: 'abc', process: elsewhere }))
  t.match(await fold(t, folder), [/are not folded: process \d+ on host 'elsewhere' holds it.*remove .*fold\.lock/])
  t.equal(catalogueIn(folder).segments.length, 0)
})

test('a store whose catalogue is gone is rebuilt from history and journals, and nothing is there twice', async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 6)
  const { store: reader } = await opened(t, folder, { readOnly: true })
  const before = await told(reader)
  await fold(t, folder)
  // The journals are still there, and so is what has been folded of them.
  rmSync(`${folder}/catalogue.json`)
  const { store: during } = await opened(t, folder, { readOnly: true })
  t.strictSame(await told(during), before)
  t.match(await fold(t, folder), [/was missing\. It has been rebuilt/])
  t.strictSame(await told(during), before)
  await fold(t, folder)
  rmSync(`${folder}/catalogue.json`)
  const warnings = await fold(t, folder)
  t.equal(warnings.length, 1)
  t.strictSame(await told(during), before)
})

test('many questions at once leave no file open, whatever is folded meanwhile', {
  skip: process.platform !== 'linux' && 'needs /proc',
}, async t => {
  const folder = t.testdir()
  await manySessions(t, folder, 5)
  const { store: reader, warnings } = await opened(t, folder, { readOnly: true })
  let isDone = false
  const seen = new Set<string>()
  const ask = async () => {
    while (!isDone) {
      const ids = idsOf(await reader.listFlowRuns())
      t.equal(new Set(ids).size, ids.length)
      for (const id of seen) if (!ids.includes(id)) t.fail(`${id} is missing`)
      for (const id of ids) seen.add(id)
      await Promise.all(ids.slice(0, 3).map(id => reader.listTaskRuns(id)))
    }
  }
  const asking = [ask(), ask(), ask(), ask()]
  for (let index = 0; index < 20; index += 1) {
    const { store } = await opened(t, folder, { owner: `s-${index}`, foldJournals: 1 })
    await carryOut(store, `later-${index}`, 2000 + index)
    await store.close()
  }
  isDone = true
  await Promise.all(asking)
  const open = readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return []
    }
  })
  t.strictSame(
    open.filter(path => path.startsWith(folder)),
    [],
  )
  t.strictSame(warnings, [])
})

test('journals with nothing in them leave no file of the history', async t => {
  const folder = t.testdir()
  const header = headerLine({
    format: 3,
    owner: 'o',
    process: thisProcess(),
    created: 1,
    segment: 1,
    journal: 'o',
  })
  await manySessions(t, folder, 0)
  const { store } = await opened(t, folder)
  await store.close()
  writeFileSync(`${folder}/journals/o.0001.ndjson`, `${seal(header).repeat(2)}${seal('{"c":2,"q":1}\n')}`)
  t.strictSame(await fold(t, folder), [])
  t.strictSame(readdirSync(`${folder}/history`), [])
  t.equal(catalogueIn(folder).segments.length, 0)
})
