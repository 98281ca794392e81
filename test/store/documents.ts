import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import { sha256 } from '../../lib/store/files.js'
import { thisProcess } from '../../lib/store/process-id.js'
import { opened } from './fixtures/sessions.js'

test('a document that is damaged is left out, which is said once, and can be written anew', async t => {
  const folder = t.testdir()
  const { store, warnings } = await opened(t, folder)
  await store.documents.put('deployments', 'a/b', { paused: true })
  await store.documents.put('deployments', 'c/d', {})
  const path = `${folder}/documents/deployments/${sha256('a/b')}.json`
  writeFileSync(path, '{"key":"a/b","va')
  t.strictSame(await store.documents.list('deployments'), [{ key: 'c/d', value: {} }])
  t.equal(await store.documents.get('deployments', 'a/b'), undefined)
  t.strictSame(warnings, [`${path} is damaged and left out. Remove it if nobody needs it.`])
  await store.documents.put('deployments', 'a/b', 1)
  t.equal(await store.documents.get('deployments', 'a/b'), 1)
})

test('what is only read has documents too, and writes none', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder)
  await store.documents.put('deployments', 'a/b', 1)
  const { store: reader } = await opened(t, folder, { readOnly: true })
  t.equal(await reader.documents.get('deployments', 'a/b'), 1)
  await t.rejects(reader.documents.put('deployments', 'a/b', 2), {
    code: 'STORE_WRITE_FAILED',
    message: "'a/b' of deployments was not written: the store is not open for writing.",
  })
  await t.rejects(
    reader.documents.exclusively('schedule', async () => 1),
    { code: 'STORE_WRITE_FAILED' },
  )
})

test('what a process held exclusively is free when it has died, and swept when the store is opened', async t => {
  const dead = { ...thisProcess(), pid: spawnSync(process.execPath, ['--version']).pid }
  const lock = `${sha256('schedule')}.json`
  const folder = t.testdir({
    documents: { locks: { [lock]: JSON.stringify({ token: 'ab', process: dead }) } },
  })
  const locks = () => readdirSync(`${folder}/documents/locks`)
  const { store } = await opened(t, folder)
  t.strictSame(locks(), [], 'swept')
  writeFileSync(`${folder}/documents/locks/${lock}`, JSON.stringify({ token: 'ab', process: dead }))
  t.strictSame(await store.documents.exclusively('schedule', async () => locks().length), { value: 2 })
  t.strictSame(locks(), [])
})
