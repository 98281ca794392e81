import vm from 'node:vm'
import { test } from 'tap'
import { copyWith, find, isPlainObject } from '../../lib/core/traverse.js'

class Found {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}
const pick = (value: object): value is Found => value instanceof Found
const put = ({ value }: Found) => value
const replaced = (value: unknown) => copyWith(value, pick, put)
const values = (value: unknown) => find(value, pick).map(put)

test('what is looked for is found in arrays, plain objects, Map values and Sets, at any depth and in order', async t => {
  const value = [
    new Found(1),
    { a: new Found(2), b: [[[new Found(3)]]] },
    new Map<unknown, unknown>([['k', { deep: new Found(4) }]]),
    new Set([new Found(5)]),
    Object.assign(Object.create(null), { n: new Found(6) }),
  ]
  t.strictSame(values(value), [1, 2, 3, 4, 5, 6])
  t.strictSame(values(new Found('itself')), ['itself'])
})

test('it is not looked for in Map keys, class instances, functions, promises and errors', async t => {
  class Instance {
    held = new Found(1)
  }
  class List extends Array<unknown> {}
  const error = Object.assign(new Error('e'), { held: new Found(1) })
  const nowhere = [
    new Map([[new Found(1), 1]]),
    new Instance(),
    List.from([new Found(1)]),
    Object.assign(() => {}, { held: new Found(1) }),
    Promise.resolve(new Found(1)),
    error,
    null,
    'text',
  ]
  t.strictSame(values(nowhere), [])
  const copy = replaced(nowhere) as unknown[]
  for (let index = 1; index < nowhere.length; index++) t.equal(copy[index], nowhere[index], `${index} is kept as it is`)
})

test('what two places share is searched once, and a cycle ends', async t => {
  const shared = { held: new Found(1) }
  t.strictSame(values([shared, shared]), [1])
  const circle: unknown[] = [new Found(2)]
  circle.push(circle)
  t.strictSame(values(circle), [2])
})

test('a copy has what was found replaced, and leaves the original alone', async t => {
  const original = {
    list: [new Found(1), 2],
    map: new Map([['k', new Found(3)]]),
    set: new Set([new Found(4)]),
    s: 's',
  }
  t.strictSame(replaced(original), { list: [1, 2], map: new Map([['k', 3]]), set: new Set([4]), s: 's' })
  t.ok(original.list[0] instanceof Found)
  t.equal(replaced(5), 5)
  t.equal(replaced(null), null)
  t.equal(replaced(new Found('itself')), 'itself')
})

test('a copy keeps sharing and cycles among its containers', async t => {
  const shared = [new Found(1)]
  const map = new Map<string, unknown>()
  const set = new Set<unknown>()
  const original: Record<string, unknown> = { a: shared, b: shared, map, set }
  original['self'] = original
  map.set('self', map)
  set.add(set)
  const copy = replaced(original) as Record<string, unknown>
  t.not(copy, original)
  t.equal(copy['a'], copy['b'])
  t.equal(copy['self'], copy)
  t.equal((copy['map'] as Map<string, unknown>).get('self'), copy['map'])
  t.ok((copy['set'] as Set<unknown>).has(copy['set']))
})

test('keys of a Map are kept, values are replaced', async t => {
  const key = { key: new Found(1) }
  const copy = replaced(new Map([[key, new Found(2)]])) as Map<unknown, unknown>
  t.equal(copy.get(key), 2)
})

test('holes of a sparse array stay holes', async t => {
  const sparse: unknown[] = [new Found(1)]
  sparse[3] = new Found(4)
  const copy = replaced(sparse) as unknown[]
  t.equal(copy.length, 4)
  t.strictSame(Object.keys(copy), ['0', '3'])
  t.equal(copy[3], 4)
})

test('a key named __proto__ is data', async t => {
  const original = JSON.parse('{"__proto__":{"polluted":true},"a":1}') as object
  const copy = replaced(original) as Record<string, unknown>
  t.strictSame(Object.keys(copy), ['__proto__', 'a'])
  t.equal(copy['polluted'], undefined)
  t.equal(Object.getPrototypeOf(copy), Object.prototype)
})

test('plain is what {} makes, in any realm', async t => {
  for (const value of [{}, Object.create(null), vm.runInNewContext('({})')]) t.ok(isPlainObject(value))
  class Instance {}
  for (const value of [new Instance(), [], new Map(), null, 1, () => {}, Object.create({})])
    t.notOk(isPlainObject(value))
  t.strictSame(find(vm.runInNewContext('(found => [{ found }])')(new Found(1)), pick).map(put), [1])
})
