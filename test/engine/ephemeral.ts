import { setImmediate as nextTurn } from 'node:timers/promises'
import { JsonStore, MemoryStore, type Store } from 'mintaka'
import tap, { test } from 'tap'
import { collect, held, oneEngine } from './fixtures/ephemeral.js'

tap.setTimeout(180_000)

const mebibyte = 1024 * 1024

const kinds: Record<string, (folder: string) => Store> = {
  'in memory': () => new MemoryStore(),
  'on one folder': folder => new JsonStore({ folder }),
}

for (const [name, storeIn] of Object.entries(kinds)) {
  test(`hundreds of engines ${name}, one after the other, leave no handle, timer, listener or memory`, async t => {
    const folder = `${t.testdir({})}/store`
    const some = async (count: number) => {
      for (let index = 0; index < count; index++) await oneEngine(storeIn(folder))
      await nextTurn()
      collect()
      return { held: held(), heap: process.memoryUsage().heapUsed }
    }
    const before = await some(50) // what is made once is there by then
    const after = await some(250)
    t.strictSame(after.held, before.held)
    const growth = (after.heap - before.heap) / mebibyte
    t.ok(growth < 4, `the heap has grown by ${growth.toFixed(1)} MiB`)
  })

  test(`engines ${name} that are open at once leave nothing either`, async t => {
    const folder = `${t.testdir({})}/store`
    await oneEngine(storeIn(folder))
    const before = held()
    await Promise.all(Array.from({ length: 100 }, () => oneEngine(storeIn(folder))))
    await nextTurn()
    t.strictSame(held(), before)
  })
}
