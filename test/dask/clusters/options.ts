import { test } from 'tap'
import { checkAdapt, checkClusterOptions, workersFor } from '../../../lib/dask/clusters/options.js'

const shares: [
  processors: number,
  given: { workers?: number; threadsPerWorker?: number },
  workers: number,
  threads: number,
][] = [
  [1, {}, 1, 1],
  [4, {}, 4, 1],
  [6, {}, 3, 2],
  [7, {}, 7, 1],
  [8, {}, 4, 2],
  [32, {}, 8, 4],
  [8, { workers: 2 }, 2, 4],
  [8, { workers: 3 }, 3, 3],
  [8, { workers: 0 }, 0, 8],
  [8, { threadsPerWorker: 3 }, 2, 3],
  [2, { threadsPerWorker: 4 }, 1, 4],
  [8, { workers: 5, threadsPerWorker: 7 }, 5, 7],
]

for (const [processors, given, workers, threadsPerWorker] of shares) {
  test(`${processors} processors and ${JSON.stringify(given)} make ${workers} workers of ${threadsPerWorker}`, async t => {
    t.strictSame(workersFor(given, processors), { workers, threadsPerWorker })
  })
}

const wrong: [options: object, says: RegExp][] = [
  [{ workers: -1 }, /'workers' of clusterOptions should be a whole number from 0, not -1/],
  [{ workers: Number.POSITIVE_INFINITY }, /'workers'/],
  [{ threadsPerWorker: 0 }, /'threadsPerWorker' of clusterOptions should be a whole number from 1/],
  [{ resources: { 'a b': 1 } }, /'resources'.*without spaces/],
  [{ resources: { GPU: Number.NaN } }, /'resources'/],
  [{ memoryLimit: -1 }, /'memoryLimit'/],
  [{ memoryLimit: '' }, /'memoryLimit'/],
  [{ python: '' }, /'python'/],
  [{ pythonWorkers: 1.5 }, /'pythonWorkers'/],
  [{ worker: 3 }, /clusterOptions has no option 'worker'\. It has: workers, /],
]

for (const [options, says] of wrong) {
  test(`${JSON.stringify(options)} is refused`, async t => {
    t.throws(() => checkClusterOptions(options), { code: 'INVALID_OPTION', message: says })
  })
}

test('of a class by name, only our options are looked at', async t => {
  t.doesNotThrow(() => checkClusterOptions({ ...{ queue: 'long' }, workers: 2 }, 'passed on'))
  t.throws(() => checkClusterOptions({ ...{ queue: 'long' }, workers: -2 }, 'passed on'), { code: 'INVALID_OPTION' })
})

test('adapt has a minimum and a maximum that is not below it', async t => {
  t.doesNotThrow(() => checkAdapt({ minimum: 0, maximum: 3 }))
  t.throws(() => checkAdapt({ minimum: 3, maximum: 2 }), { code: 'INVALID_OPTION', message: /'maximum'/ })
  t.throws(() => checkAdapt({ minimum: -1, maximum: 2 }), { code: 'INVALID_OPTION', message: /'minimum'/ })
})
