import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import tap, { type Test, test } from 'tap'
import { isMintakaError, MintakaError } from '../../lib/core/errors.js'
import { states } from '../../lib/core/state.js'
import type { StoreSurroundings } from '../../lib/core/store.js'
import { temporaryName } from '../../lib/store/files.js'
import { JsonStore, type JsonStoreOptions } from '../../lib/store/json.js'
import { headerLine } from '../../lib/store/line.js'
import { type ProcessId, thisProcess } from '../../lib/store/process-id.js'
import { seal } from '../../lib/store/seal.js'
import { storeSuite } from '../../lib/testing/store-suite.js'
import { codec } from '../../lib/values/json.js'
import { change, flowRun, taskRun } from './fixtures/runs.js'
import { carryOut, fold, opened as openedIn } from './fixtures/sessions.js'

tap.setTimeout(240_000) // hundreds of stores are opened and synced, on whatever machine this is

test('JsonStore is a store', async t => {
  let stores = 0
  const folder = t.testdir()
  storeSuite(t, () => new JsonStore({ folder: `${folder}/${++stores}` }))
})

test('JsonStore with durability power is a store', async t => {
  let stores = 0
  const folder = t.testdir()
  storeSuite(t, () => new JsonStore({ folder: `${folder}/${++stores}`, durability: 'power' }))
})

let openings = 0

async function opened(t: Test, folder: string, options: Partial<StoreSurroundings> = {}, more: JsonStoreOptions = {}) {
  const store = new JsonStore({ folder, ...more })
  const warnings: string[] = []
  const warn = (message: string) => warnings.push(message)
  await store.open({ owner: `engine-${++openings}`, codec, warn, ...options })
  t.teardown(() => store.close())
  return { store, warnings }
}

/** The id of a process that has ended. */
function deadProcess(): ProcessId {
  const { started, ...others } = thisProcess()
  return { ...others, pid: spawnSync(process.execPath, ['--version']).pid, ...(started && { started: '1' }) }
}

/** The text of a journal that holds three runs that have not ended, as `process` would have left it. */
async function unfinishedJournal(t: Test, process: ProcessId): Promise<string> {
  const folder = t.testdir()
  const { store } = await opened(t, folder, { owner: 'w' })
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  await change(store, flow, states.running(1001, 1))
  const [done, under] = [taskRun('done', 'flow'), taskRun('under-way', 'flow', { dynamicKey: 1 })]
  for (const task of [done, under]) {
    store.createTaskRun(task)
    await change(store, task, states.running(1002, 1))
  }
  await change(store, done, states.completed(1003, { an: 'answer' }))
  const resting = taskRun('resting', 'flow', { dynamicKey: 2 })
  store.createTaskRun(resting)
  await change(store, resting, states.notReady(1004, 'upstream', new Error('root')))
  store.createTaskRun(taskRun('waiting', 'flow', { dynamicKey: 3 }))
  store.appendLog({ flowRunId: 'flow', level: 'info', message: 'the last one', timestamp: 1005 })
  await store.listFlowRuns()
  const [, , ...lines] = readFileSync(`${folder}/journals/w.0001.ndjson`, 'utf8').split('\n')
  await store.close()
  const header = seal(headerLine({ format: 3, owner: 'w', process, created: 1000, journal: 'w', segment: 1 }))
  return header + header + lines.join('\n')
}

/** The same, as format 1 had it: one header, and no seals. */
async function formatOne(t: Test, process: ProcessId): Promise<string> {
  const [, , ...lines] = (await unfinishedJournal(t, process)).replace(/,"z":"[0-9a-f]{8}"\}$/gm, '}').split('\n')
  return [JSON.stringify({ h: { format: 1, owner: 'w', process, created: 1000 } }), ...lines].join('\n')
}

function folderWith(t: Test, journal: string): string {
  return t.testdir({ journals: { 'w.0001.ndjson': journal } })
}

const typesOf = async (store: JsonStore) =>
  Object.fromEntries((await store.listTaskRuns('flow')).map(({ run }) => [run.id, run.state.name]))

test('the folder is made when the store is opened, and a journal when there is something to write', async t => {
  const folder = `${t.testdir()}/deep/inside`
  const store = new JsonStore({ folder })
  t.notOk(existsSync(folder))
  await store.open({ owner: 'a', codec, warn: message => t.fail(message) })
  t.strictSame(readdirSync(folder).sort(), ['cache', 'catalogue.json', 'claims', 'inbox', 'journals', 'tmp'])
  await store.listFlowRuns()
  await store.close()
  t.strictSame(readdirSync(`${folder}/journals`), [])
  t.strictSame(readdirSync(`${folder}/tmp`), [])
})

test('the folder is MINTAKA_HOME, else .mintaka in the home folder', async t => {
  const before = process.env['MINTAKA_HOME']
  t.teardown(() => {
    if (before === undefined) delete process.env['MINTAKA_HOME']
    else process.env['MINTAKA_HOME'] = before
  })
  process.env['MINTAKA_HOME'] = '/somewhere/else'
  t.equal(new JsonStore().folder, '/somewhere/else')
  delete process.env['MINTAKA_HOME']
  t.match(new JsonStore().folder, /.\/\.mintaka$/)
})

test('what was written is there when the store is opened again, by the same owner too', async t => {
  const folder = t.testdir()
  for (const id of ['a', 'b']) {
    const { store } = await opened(t, folder, { owner: 'same' })
    const run = flowRun(id)
    await store.createFlowRun(run)
    await change(store, run, states.completed(2000, id))
    await store.close()
  }
  const { store, warnings } = await opened(t, folder)
  t.strictSame((await store.listFlowRuns()).map(({ run }) => run.id).sort(), ['a', 'b'])
  t.strictSame(readdirSync(`${folder}/journals`).sort(), ['same-s2.0001.ndjson', 'same.0001.ndjson'])
  t.strictSame(warnings, [])
})

test('two engines of one process share a folder, and each sees what the other has written', async t => {
  const folder = t.testdir()
  const [one, two] = [await opened(t, folder), await opened(t, folder)]
  await one.store.createFlowRun(flowRun('one'))
  await two.store.createFlowRun(flowRun('two'))
  for (const { store } of [one, two]) t.equal((await store.listFlowRuns()).length, 2)
  t.equal((await two.store.getFlowRun('one'))?.run.state.type, 'PENDING')
})

test('a result that cannot be kept leaves its run COMPLETED, with the reason', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder, {}, { maxResultBytes: 1024 * 1024 })
  const refused = {
    'too-large': 'x'.repeat(1024 * 1024 + 1),
    function: () => 1,
  }
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  for (const [id, result] of Object.entries(refused)) {
    const run = taskRun(id, 'flow')
    store.createTaskRun(run)
    await change(store, run, states.completed(2000, result))
  }
  const reasons = (await store.listTaskRuns('flow')).map(
    ({ run: { state } }) => state.type === 'COMPLETED' && state.result,
  )
  t.match(reasons, [{ notPersisted: /^too large: 1\.0 MiB, the limit is 1\.0 MiB$/ }, { notPersisted: /function/ }])
})

test('an error that cannot be kept as it is keeps its text', async t => {
  const { store } = await opened(t, t.testdir())
  const run = flowRun('flow')
  await store.createFlowRun(run)
  const huge = Object.assign(new RangeError('far too much'), { everything: 'x'.repeat(2 * 1024 * 1024) })
  await change(store, run, states.failed(2000, huge))
  const state = (await store.getFlowRun('flow'))?.run.state
  t.match(state, { type: 'FAILED', message: 'far too much', error: { name: 'RangeError', message: 'far too much' } })
})

test('a cached result that cannot be kept is a warning', async t => {
  const { store, warnings } = await opened(t, t.testdir())
  await store.putCached('key', { state: states.completed(1, () => 1), runId: 'run-1' })
  t.equal(await store.getCached('key'), undefined)
  t.match(warnings, [/^The result of run run-1 is not in the cache: /])
})

test('a damaged cache entry, claim or command does no harm', async t => {
  const folder = t.testdir()
  const { store, warnings } = await opened(t, folder)
  await store.putCached('key', { state: states.completed(1, { a: 1 }), runId: 'run-1' })
  const [name] = readdirSync(`${folder}/cache`)
  for (const text of ['', '{"k":"key","run":"run-1","is":"Compl', 'null\n', '[]\n']) {
    writeFileSync(`${folder}/cache/${name}`, text)
    t.equal(await store.getCached('key'), undefined, text)
  }
  mkdirSync(`${folder}/inbox/me`)
  writeFileSync(`${folder}/inbox/me/0.json`, '{"type":')
  await store.post('me', { type: 'cancel', runId: 'run-1' })
  t.strictSame(await store.takePosted('me'), [{ type: 'cancel', runId: 'run-1' }])
  t.match(warnings, [/^A command was not understood: .*0\.json/])
})

test('a reader makes nothing, ends nothing, cuts nothing and writes nothing', async t => {
  const folder = t.testdir()
  const nowhere = await opened(t, `${folder}/nowhere`, { readOnly: true })
  t.strictSame(await nowhere.store.listFlowRuns(), [])
  t.equal(await nowhere.store.getCached('key'), undefined)
  t.strictSame(await nowhere.store.takePosted('me'), [])
  t.notOk(existsSync(`${folder}/nowhere`))

  const journal = `${await unfinishedJournal(t, deadProcess())}{"t":"torn`
  const orphaned = folderWith(t, journal)
  const { store } = await opened(t, orphaned, { readOnly: true })
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  t.strictSame(readdirSync(orphaned), ['journals'])
  t.equal(readFileSync(`${orphaned}/journals/w.0001.ndjson`, 'utf8'), journal)
  const refused = { code: 'STORE_WRITE_FAILED', message: /not open for writing/ }
  await t.rejects(store.createFlowRun(flowRun('b'))!, refused)
  await t.rejects(store.claim('key', 'value'), refused)
  await t.rejects(store.post('me', { type: 'cancel', runId: 'a' }), refused)
  t.throws(() => store.putCached('key', { state: states.completed(1, 1), runId: 'a' }), refused)
  await store.close()
})

test('a store that was not opened says so', async t => {
  const store = new JsonStore({ folder: t.testdir() })
  await t.rejects(store.getFlowRun('a'), { code: 'STORE_OPEN_FAILED' })
  await t.rejects(store.createFlowRun(flowRun('a'))!, { code: 'STORE_WRITE_FAILED' })
})

test('a store of a newer format is read as far as it is understood, and never written', async t => {
  const folder = t.testdir()
  const { store: before } = await opened(t, folder)
  const run = flowRun('a')
  await before.createFlowRun(run)
  await change(before, run, states.completed(2000, 1))
  await before.close()
  const newer = '{"format":7,"generation":1,"shape":"unknown"}'
  writeFileSync(`${folder}/catalogue.json`, newer)
  const header = { format: 7, owner: 'w', process: thisProcess(), created: 1 }
  const lines = [{ h: header }, { h: header }, { y: 'of the future', q: 1 }]
  const journal = lines.map(line => seal(`${JSON.stringify(line)}\n`)).join('')
  writeFileSync(`${folder}/journals/w.0001.ndjson`, journal)
  const refused = new JsonStore({ folder })
  await t.rejects(refused.open({ owner: 'a', codec, warn: message => t.fail(message) }), {
    code: 'STORE_FORMAT',
    message: /has format 7; this version of Mintaka writes formats up to 3.*Use a newer Mintaka, or set MINTAKA_HOME/,
  })
  const { store, warnings } = await opened(t, folder, { readOnly: true })
  t.strictSame(
    (await store.listFlowRuns()).map(({ run }) => run.id),
    ['a'],
  )
  t.strictSame(warnings, [])
  t.equal(readFileSync(`${folder}/catalogue.json`, 'utf8'), newer)
  t.equal(readFileSync(`${folder}/journals/w.0001.ndjson`, 'utf8'), journal)
})

test('a catalogue of an older format is brought to this one, and kept as it was', async t => {
  const old = '{"format":2,"generation":0,"flows":{"etl":{"lastRun":7}}}'
  const folder = t.testdir({ 'catalogue.json': old, journals: { 'w.ndjson': await formatOne(t, thisProcess()) } })
  const { store, warnings } = await opened(t, folder)
  t.equal((await store.listTaskRuns('flow')).length, 4)
  t.match(JSON.parse(readFileSync(`${folder}/catalogue.json`, 'utf8')), {
    format: 3,
    generation: 0,
    flows: { etl: { lastRun: 7 } },
    segments: [],
  })
  t.equal(readFileSync(`${folder}/catalogue.format-2.json`, 'utf8'), old)
  t.strictSame(warnings, [])
})

test('a damaged or foreign catalogue is rebuilt, and what it was is kept', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  const runs = [flowRun('a', { file: '/old.ts' }), flowRun('b', { created: 2000, file: '/new.ts' })]
  for (const run of [...runs, flowRun('c', { flowName: '__proto__' })]) {
    await store.createFlowRun(run)
    await change(store, run, states.completed(2001, 1))
  }
  await store.close()
  const path = `${folder}/catalogue.json`
  const whole = readFileSync(path, 'utf8')
  const flipped = whole.replace('"generation": 0', '"generation": 1')
  for (const text of ['', whole.slice(0, 20), 'null', '[]', '{"name":"of something else"}', flipped]) {
    writeFileSync(path, text)
    const reader = await opened(t, folder, { readOnly: true })
    t.equal((await reader.store.listFlowRuns()).length, 3, text)
    t.match(reader.warnings, [/catalogue\.json is damaged\. What it held is read from the history/])
    const again = await opened(t, folder)
    t.match(again.warnings, [/was damaged\. It has been rebuilt from the history and the journals; what it was is in/])
    const kept = /is in (.*damaged-.*\.json)\.$/.exec(again.warnings[0] ?? '')?.[1] ?? ''
    t.equal(readFileSync(kept, 'utf8'), text)
    t.equal((await again.store.listFlowRuns()).length, 3)
    await again.store.close()
  }
})

test('a file in the place of the folder is refused with a sentence that says what to do', async t => {
  const folder = t.testdir({ file: 'not a folder' })
  for (const path of [`${folder}/file`, `${folder}/file/store`])
    for (const readOnly of [false, true]) {
      const store = new JsonStore({ folder: path })
      await t.rejects(store.open({ owner: 'a', codec, warn: message => t.fail(message), readOnly }), {
        code: 'STORE_OPEN_FAILED',
        message: /file.* is in the way: it is not a folder\. Move it away, or set MINTAKA_HOME/,
      })
    }
})

test('runs of a dead process become CRASHED at the next opening, what rests and what has ended stays', async t => {
  const dead = deadProcess()
  const folder = folderWith(t, await unfinishedJournal(t, dead))
  const { store, warnings } = await opened(t, folder)
  t.match(warnings, [new RegExp(`^3 runs of process ${dead.pid} are CRASHED`)])
  const expected = { done: 'Completed', 'under-way': 'Crashed', resting: 'NotReady', waiting: 'Crashed' }
  t.strictSame(await typesOf(store), expected)
  const crashed = await store.getTaskRun('under-way')
  const state = crashed?.run.state
  t.ok(state?.type === 'CRASHED' && isMintakaError(state.error, 'CRASHED'))
  t.equal(
    state?.message,
    `The process ${dead.pid} on host '${dead.host}' that carried out task run 'name-of-under-way' ended without finishing it. Its last record is from 1970-01-01T00:00:01.005Z.`,
  )
  t.strictSame([crashed?.run.endTime, crashed?.run.totalRunTimeMs], [1005, 3])
  t.equal(crashed?.owner, 'w')
  t.strictSame(
    (await store.listFlowRuns({ state: ['crashed'] })).map(({ run }) => run.id),
    ['flow'],
  )
  t.equal((await store.listLogs('flow')).length, 1)

  const again = await opened(t, folder)
  t.strictSame(again.warnings, [])
  t.strictSame(await typesOf(again.store), expected)
  t.equal((await again.store.getFlowRun('flow'))?.states.length, 3)
})

test('a reader that has seen the runs of a process sees them end', async t => {
  const folder = folderWith(t, await unfinishedJournal(t, deadProcess()))
  const { store } = await opened(t, folder, { readOnly: true })
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  await opened(t, folder)
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'CRASHED')
  t.equal((await typesOf(store))['waiting'], 'Crashed')
})

test('only what is certainly dead is ended', async t => {
  const here = thisProcess()
  const dead = deadProcess()
  const cases: [string, ProcessId, string][] = [
    ['this very process', here, 'RUNNING'],
    ['its pid, started at another time', { ...here, started: '1' }, 'CRASHED'],
    ['a pid that is gone, on another host', { ...dead, host: 'elsewhere' }, 'RUNNING'],
    ['a pid that is gone, in another pid namespace', { ...dead, namespace: 'pid:[1]' }, 'RUNNING'],
    ['a pid that is gone, on another machine of this name', { ...dead, machine: 'another' }, 'RUNNING'],
    ['this pid, before the last boot', { ...here, boot: 'another' }, 'CRASHED'],
    ['a pid that is gone', dead, 'CRASHED'],
  ]
  for (const [name, process, type] of cases) {
    if (here.started === undefined && name !== 'a pid that is gone') continue
    const { store } = await opened(t, folderWith(t, await unfinishedJournal(t, process)))
    t.equal((await store.getFlowRun('flow'))?.run.state.type, type, name)
  }
})

test('the runs of an owner that somebody answers for are ended, and no others', async t => {
  const elsewhere = { ...deadProcess(), host: 'elsewhere' }
  const { store } = await opened(t, folderWith(t, await unfinishedJournal(t, elsewhere)))
  const { owner } = (await store.getFlowRun('flow'))!
  for (const deadOwner of [undefined, 'nobody']) {
    await store.recover({ deadOwner })
    t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  }
  await store.recover({ deadOwner: owner })
  t.match((await store.getFlowRun('flow'))?.run.state, { type: 'CRASHED', message: /on host 'elsewhere'/ })
})

test('a journal that was closed is never looked at again, whatever its runs', async t => {
  const journal = await unfinishedJournal(t, deadProcess())
  const folder = folderWith(t, `${journal}${seal('{"c":1006,"q":12}\n')}`)
  const { store, warnings } = await opened(t, folder)
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  t.strictSame(readdirSync(`${folder}/journals`), ['w.0001.ndjson'])
  t.strictSame(warnings, [])
})

test('runs that were abandoned when the store was closed are ended at the next opening, in a living process too', async t => {
  const folder = t.testdir()
  const { store } = await openedIn(t, folder, { owner: 'w' })
  await carryOut(store, 'ended', 1000)
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  await change(store, flow, states.running(1001, 1))
  const task = taskRun('flow-0', 'flow')
  store.createTaskRun(task)
  await change(store, task, states.running(1002, 1))
  const later = flowRun('later', { state: states.scheduled(1000, 9e15) })
  await store.createFlowRun(later)
  const { store: reader } = await openedIn(t, folder, { readOnly: true })
  await store.close({ abandoned: true })
  t.match(await reader.getFlowRun('flow'), { run: { state: { type: 'RUNNING' } }, ownerGone: true })
  const { store: next, warnings } = await openedIn(t, folder, { foldJournals: 1 })
  t.match(warnings, [/^2 runs of process \d+ are CRASHED: its store was closed without finishing them\.$/])
  t.match((await next.getFlowRun('flow'))?.run.state, {
    type: 'CRASHED',
    message: /closed its store without finishing it/,
  })
  t.equal((await next.getTaskRun('flow-0'))?.run.state.type, 'CRASHED')
  t.equal((await next.getFlowRun('later'))?.run.state.type, 'SCHEDULED')
  t.equal((await next.getFlowRun('ended'))?.run.state.type, 'COMPLETED')
  await next.close()
  t.strictSame(await fold(t, folder), [], 'once')
  t.equal((await reader.getFlowRun('flow'))?.run.state.type, 'CRASHED')
})

test('a journal that ends anywhere in its last three lines opens, and loses only what is torn', async t => {
  const journal = await unfinishedJournal(t, deadProcess())
  const ends = [...journal.matchAll(/\n/g)].map(match => match.index + 1)
  const folder = t.testdir({ journals: {} })
  const path = `${folder}/journals/w.0001.ndjson`
  let tried = 0
  for (let end = journal.length; end >= ends.at(-4)!; end -= 1) {
    tried += 1
    writeFileSync(path, journal)
    truncateSync(path, end)
    const whole = ends.findLast(each => each <= end)!
    for (const readOnly of [true, false]) {
      const { store, warnings } = await opened(t, folder, { readOnly })
      const runs = await store.listTaskRuns('flow')
      const created = journal.slice(0, whole).match(/^\{"t":/gm)?.length
      const entered = journal.slice(0, whole).match(/^\{"u":/gm)?.length
      const count = runs.reduce((sum, { states }) => sum + states.filter(({ name }) => name !== 'Crashed').length, 0)
      if (runs.length !== created || count !== created! + entered! || warnings.some(text => text.includes('damaged')))
        t.fail(`at byte ${end}, ${readOnly ? 'reading' : 'writing'}: ${runs.length} runs, ${warnings}`)
      if (!readOnly && readFileSync(path, 'utf8') !== journal.slice(0, whole)) t.fail(`not cut at byte ${end}`)
      await store.close()
    }
    // What the next opening finds is another journal.
    rmSync(`${folder}/journals/w.ended`)
  }
  t.ok(tried > 200, `${tried} ends`)
})

test('a line in the middle that nobody understands costs that line, and a warning', async t => {
  const lines = (await unfinishedJournal(t, thisProcess())).split('\n')
  lines.splice(2, 0, '\0\0\0', '{"f":"half', 'null', '')
  const { store, warnings } = await opened(t, folderWith(t, lines.join('\n')))
  t.equal((await store.getFlowRun('flow'))?.states.length, 2)
  t.equal((await store.listTaskRuns('flow')).length, 4)
  t.match(warnings, [/^4 lines of .*w\.0001\.ndjson are damaged and left out/])
})

test('what a damaged writer adds to a run that has ended is ignored', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  const run = flowRun('flow')
  await store.createFlowRun(run)
  await change(store, run, states.cancelled(2000, new MintakaError('CANCELLED', 'Enough.')))
  await change(store, run, states.completed(2001, 'late'))
  const stored = await store.getFlowRun('flow')
  t.strictSame(
    stored?.states.map(({ name }) => name),
    ['Pending', 'Cancelled'],
  )
  t.equal(stored?.run.endTime, 2000)
})

test('a value that cannot be read any more costs that value, not the list', async t => {
  const lines = (await unfinishedJournal(t, thisProcess())).replace(
    /^(.*)\{"an":"answer"\},"z".*\n/m,
    (_, before: string) => seal(`${before}{"$mintaka":"of the future"}}\n`),
  )
  const strict = {
    ...codec,
    decode(text: string) {
      if (text.includes('future')) throw new Error('unknown tag')
      return codec.decode(text)
    },
  }
  const { store } = await opened(t, folderWith(t, lines), { codec: strict })
  const state = (await store.getTaskRun('done'))?.run.state
  t.match(state, { type: 'COMPLETED', result: { notPersisted: 'cannot be read: unknown tag' } })
})

test('temporary files of dead processes are swept, others are not', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  await store.claim('key', 'value')
  const own = temporaryName()
  const [where] = own.split('.')
  const dead = deadProcess()
  const names = [own, `${where}.${dead.pid}.1.abc`, `elsewhere.${dead.pid}.1.abc`]
  for (const name of names) appendFileSync(`${folder}/tmp/${name}`, 'half')
  await opened(t, folder)
  t.strictSame(readdirSync(`${folder}/tmp`).sort(), [own, `elsewhere.${dead.pid}.1.abc`].sort())
})

test('a JsonStore that is made of something else than options says so', async t => {
  t.throws(() => new JsonStore('/var/lib/app/runs' as unknown as object), {
    code: 'INVALID_OPTION',
    message: /options of JsonStore/,
  })
  t.throws(() => new JsonStore({ foldr: '/var/lib/app/runs' } as object), { message: /no option 'foldr'/ })
})

test('nobody else may look into a folder that the store has made; one that was there stays as it is', {
  skip: process.platform === 'win32' && 'no modes',
}, async t => {
  const folder = t.testdir({ shared: {} })
  chmodSync(`${folder}/shared`, 0o755)
  for (const [name, mode] of [
    ['own', 0o700],
    ['shared', 0o755],
  ] as const) {
    const { store } = await openedIn(t, `${folder}/${name}`)
    await store.close()
    t.equal(statSync(`${folder}/${name}`).mode & 0o777, mode)
  }
})
