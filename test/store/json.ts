import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import tap, { test } from 'tap'
import { states } from '../../lib/core/state.js'
import { temporaryName } from '../../lib/store/files.js'
import { JsonStore } from '../../lib/store/json.js'
import { storeSuite } from '../../lib/testing/store-suite.js'
import { codec } from '../../lib/values/json.js'
import { deadProcess, folderWith, unfinishedJournal } from './fixtures/left-behind.js'
import { change, flowRun } from './fixtures/runs.js'
import { opened } from './fixtures/sessions.js'

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

test('a file in the place of the folder, or of one above it, is refused with a sentence that names it and says what to do', async t => {
  const folder = t.testdir({ file: 'not a folder' })
  for (const path of [`${folder}/file`, `${folder}/file/store`])
    for (const readOnly of [false, true]) {
      const store = new JsonStore({ folder: path })
      await t.rejects(store.open({ owner: 'a', codec, warn: message => t.fail(message), readOnly }), {
        code: 'STORE_OPEN_FAILED',
        message: `opened: ${folder}/file is in the way: it is not a folder. Move it away, or set MINTAKA_HOME`,
      })
    }
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
    const { store } = await opened(t, `${folder}/${name}`)
    await store.close()
    t.equal(statSync(`${folder}/${name}`).mode & 0o777, mode)
  }
})
