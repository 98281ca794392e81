import type { Store } from '../core/store.js'
import { JsonStore } from '../store/json.js'
import { codec } from '../values/json.js'

/** Calls `read` with the store, opened to be read only: nothing in its folder changes, whoever else uses it. */
export async function readStore<T>(read: (store: Store) => Promise<T>): Promise<T> {
  const store = new JsonStore()
  await store.open({
    owner: 'cli',
    codec,
    readOnly: true,
    warn: message => process.stderr.write(`warning: ${message}\n`),
  })
  try {
    return await read(store)
  } finally {
    await store.close()
  }
}
