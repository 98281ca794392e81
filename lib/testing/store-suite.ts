import type { Store } from '../core/store.js'
import { codec } from '../values/json.js'
import { besidesTests } from './store-suite/besides.js'
import { documentTests } from './store-suite/documents.js'
import { flowRunTests } from './store-suite/flow-runs.js'
import { readingTests } from './store-suite/reading.js'
import { newId, type StoreTest } from './store-suite/runs.js'
import { stateTests } from './store-suite/states.js'
import { taskRunTests } from './store-suite/task-runs.js'
import type { TestRunner } from './test-runner.js'

/**
 * Proves that a {@link Store} keeps what the engine relies on. `makeStore` gives a new one, not opened yet, that nobody
 * else has written to; the suite opens and closes it.
 */
export function storeSuite(t: TestRunner, makeStore: () => Store | Promise<Store>): void {
  /** A test that has a store to itself. */
  const test: StoreTest = (name, body) => {
    t.test(name, async () => {
      const store = await makeStore()
      const owner = newId('engine')
      await store.open({ owner, codec, warn: () => {} })
      try {
        await body(store, owner)
      } finally {
        await store.close()
      }
    })
  }

  readingTests(test)
  flowRunTests(test)
  taskRunTests(test)
  stateTests(test)
  besidesTests(test)
  documentTests(test)
}
