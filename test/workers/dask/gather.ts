import { test } from 'tap'
import { gather } from '../../../workers/dask/gather.js'
import type { Fetched } from '../../../workers/dask/peer-values.js'

/** Peers that have keys, and what they were asked for. */
function peers(has: Record<string, readonly string[]>, ends: Record<string, Fetched['type'][]> = {}) {
  const here = new Set<string>()
  const asked: string[] = []
  return {
    asked,
    here,
    isHere: (key: string) => here.has(key),
    copy: async (from: string, keys: readonly string[]): Promise<Fetched['type']> => {
      asked.push(`${from}: ${keys}`)
      const end = ends[from]?.shift() ?? 'fetched'
      if (end === 'fetched') for (const key of keys) if (has[from]?.includes(key)) here.add(key)
      return end
    },
  }
}

test('each peer is asked once for all that it has', async t => {
  const by = peers({ a: ['x', 'y'], b: ['z'] })
  by.here.add('w')
  t.strictSame(await gather(new Map(Object.entries({ x: ['a'], y: ['a', 'b'], z: ['b'], w: ['a'] })), by), [])
  t.strictSame(by.asked, ['a: x,y', 'b: z'])
})

test('where one does not have it another is asked, and what nobody has is named', async t => {
  const by = peers({ b: ['x'] }, { c: ['unreachable'] })
  const whoHas = new Map(Object.entries({ x: ['a', 'b'], y: ['c', 'a'], none: [] }))
  t.strictSame(await gather(whoHas, by), ['y', 'none'])
  t.strictSame(by.asked, ['a: x', 'c: y', 'b: x', 'a: y'])
})

test('one that is busy is asked again', async t => {
  const by = peers({ a: ['x'] }, { a: ['busy', 'busy'] })
  t.strictSame(await gather(new Map([['x', ['a']]]), by), [])
  t.equal(by.asked.length, 3)
})
