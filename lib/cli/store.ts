import type { Store } from '../core/store.js'
import { JsonStore } from '../store/json.js'
import { codec } from '../values/json.js'

/** Calls `read` with the store, opened to be read only: nothing in its folder changes, whoever else uses it. */
export function readStore<T>(read: (store: Store) => Promise<T>): Promise<T> {
  return useStore({ owner: 'cli', readOnly: true }, read)
}

/** Calls `change` with the store, opened for writing: the runs of processes that have died are ended by that. */
export function changeStore<T>(change: (store: JsonStore) => Promise<T>): Promise<T> {
  return useStore({ owner: `cli-${process.pid}` }, change)
}

async function useStore<T>(
  how: { readonly owner: string; readonly readOnly?: true },
  use: (store: JsonStore) => Promise<T>,
): Promise<T> {
  const store = new JsonStore()
  await store.open({ ...how, codec, warn: message => process.stderr.write(`warning: ${message}\n`) })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}
