import { flow, JsonStore, MemoryStore, type Store, task } from 'mintaka'
import { type Test, test } from 'tap'
import { deferred, engineFor } from './fixtures/engine.js'

interface Loaded {
  readonly list: number[]
  readonly bytes: Uint8Array
  readonly map: Map<string, Date>
}

let loads = 0
const load = task('load', (): Loaded => {
  loads += 1
  return { list: [1, 2, 3], bytes: new Uint8Array([1, 2]), map: new Map([['at', new Date(1)]]) }
})
const right: Loaded = {
  list: [1, 2, 3, 99],
  bytes: new Uint8Array([99, 2]),
  map: new Map([
    ['at', new Date(99)],
    ['more', new Date(0)],
  ]),
}

/** As bodies do. */
function change(loaded: Loaded): Loaded {
  loaded.list.push(99)
  loaded.bytes[0] = 99
  loaded.map.get('at')?.setTime(99)
  loaded.map.set('more', new Date(0))
  return loaded
}

const stores: Record<string, (t: Test) => Store> = {
  memory: () => new MemoryStore(),
  json: t => new JsonStore({ folder: t.testdir() }),
}

for (const [kind, storeFor] of Object.entries(stores)) {
  for (const [giver, give] of Object.entries({ task: load, subflow: flow('sub', async () => load()) }))
    test(`a later attempt takes over what a ${giver} gave, not what the body made of it: ${kind}`, async t => {
      const engine = engineFor(t, { store: storeFor(t) })
      let failures = 2
      const job = flow(
        'job',
        async () => {
          const loaded = change(await give())
          if (failures-- > 0) throw new Error('once more')
          return loaded
        },
        { retries: 2 },
      )
      loads = 0
      t.strictSame(await engine.run(job), right)
      t.equal(loads, 1)
    })

  test(`a run that is resumed takes over what was given, not what bodies made of it: ${kind}`, async t => {
    const engine = engineFor(t, { store: storeFor(t) })
    let failures = 2
    const job = flow('job', async (p: { loaded: Loaded }) => {
      const loaded = change(await load())
      change(p.loaded)
      if (failures-- > 0) throw new Error('once more')
      return [loaded, p.loaded]
    })
    loads = 0
    const given: Loaded = { list: [1, 2, 3], bytes: new Uint8Array([1, 2]), map: new Map([['at', new Date(1)]]) }
    const first = engine.run(job, { loaded: given })
    await first.wait()
    const second = engine.resume(first.id, job)
    await second.wait()
    t.strictSame(await engine.resume(second.id, job), [right, right])
    t.equal(loads, 1)
  })

  test(`what a flow was called with is kept when it has arrived, and is there when the run is resumed: ${kind}`, async t => {
    const engine = engineFor(t, { store: storeFor(t) })
    let isBroken = true
    const source = flow('source', async () => 'x'.repeat(70_000))
    const job = flow('job', async (p: { long: string; n: number }) => {
      if (isBroken) throw new Error('broken')
      return [p.long.length, p.n]
    })
    const first = engine.run(job, { long: engine.run(source), n: 7 })
    await first.wait()
    t.match((await engine.flowRuns.get(first.id))?.parameters, { n: 7 })
    isBroken = false
    const second = engine.resume(first.id, job)
    t.strictSame(await second, [70_000, 7])
  })

  test(`a flow whose parameters never arrived is not called with nothing when it is resumed: ${kind}`, async t => {
    const engine = engineFor(t, { store: storeFor(t) })
    const gate = deferred()
    const source = flow('source', () => gate.promise)
    let calls = 0
    const job = flow('job', async (_: { value: unknown }) => {
      calls += 1
    })
    const first = engine.run(job, { value: engine.run(source) })
    await engine.cancel(first.id, 'enough')
    t.match(await first.wait(), { type: 'CANCELLED' })
    gate.resolve()
    const end = await engine.resume(first.id, job).wait()
    t.match(end, {
      type: 'FAILED',
      error: { code: 'NOT_RESUMABLE' },
      message: /called with .*, which was not kept\. Call the flow again/,
    })
    t.equal(calls, 0)
  })
}
