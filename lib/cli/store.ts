import type { Store } from '../core/store.js'
import { Deployments, documentsOf } from '../deployments/deployments.js'
import { realSurroundings } from '../engine/surroundings.js'
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

/** Calls `change` with the deployments of the store, which may be changed. */
export function changeDeployments<T>(change: (deployments: Deployments) => Promise<T>): Promise<T> {
  return changeStore(store => change(deploymentsIn(store)))
}

/** The deployments of a store, which may be changed if the store may be. */
export function deploymentsIn(store: Store): Deployments {
  return new Deployments({ documents: documentsOf(store), ...realSurroundings })
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
