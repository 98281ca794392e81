import { test } from 'tap'
import { type Annotations, checkAnnotations, mergeAnnotations } from '../../lib/core/annotations.js'

test('what is spelt right and has a value of the right kind passes', async t => {
  const all: Annotations = {
    priority: -1.5,
    resources: { GPU: 1, memory: 0.5 },
    workers: ['tcp://a:1'],
    allowOtherWorkers: true,
    retries: 0,
  }
  t.equal(checkAnnotations(all), all)
  t.strictSame(checkAnnotations({}), {})
})

test('a misspelt annotation is refused with the names there are', async t => {
  t.throws(() => checkAnnotations({ prioritty: 1 } as Annotations), {
    code: 'INVALID_ANNOTATION',
    message: "There is no annotation 'prioritty'. There are: priority, resources, workers, allowOtherWorkers, retries.",
    key: 'prioritty',
  })
  t.throws(() => checkAnnotations({ toString: 1 } as unknown as Annotations), { code: 'INVALID_ANNOTATION' })
})

test('a value of another kind is refused with its name', async t => {
  const wrong: object[] = [
    { priority: '1' },
    { priority: Number.NaN },
    { resources: { GPU: -1 } },
    { resources: { GPU: '1' } },
    { resources: null },
    { workers: 'tcp://a:1' },
    { workers: [1] },
    { allowOtherWorkers: 1 },
    { retries: 1.5 },
    { retries: -1 },
  ]
  for (const annotations of wrong) {
    const [key] = Object.keys(annotations)
    t.throws(() => checkAnnotations(annotations as Annotations), { code: 'INVALID_ANNOTATION', key })
  }
})

test('inner annotations win over outer ones, resources are merged by name', async t => {
  const outer: Annotations = { priority: 1, resources: { GPU: 1, memory: 2 }, retries: 3 }
  const inner: Annotations = { priority: 5, resources: { GPU: 0 } }
  t.strictSame(mergeAnnotations(outer, inner), { priority: 5, resources: { GPU: 0, memory: 2 }, retries: 3 })
  t.equal(mergeAnnotations(undefined, inner), inner)
  t.equal(mergeAnnotations(outer, undefined), outer)
  t.equal(mergeAnnotations(undefined, undefined), undefined)
})
