import { test } from 'tap'
import { JsonStore } from '../../lib/store/json.js'
import { storeSuite } from '../../lib/testing/store-suite.js'

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
