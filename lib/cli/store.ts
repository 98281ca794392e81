import type { Store } from '../core/store.js'
import type { Deployments } from '../deployments/deployments.js'
import type { JsonStore } from '../store/json.js'

// What this takes is loaded when it is used: the help of a verb, and what completes its words, come without.

/** Calls `read` with the store, opened to be read only: nothing in its folder changes, whoever else uses it. */
export function readStore<T>(read: (store: Store) => Promise<T>): Promise<T> {
  return useStore({ owner: 'cli', readOnly: true }, read)
}

/** The owner of what the command writes. */
export const cliOwner = `cli-${process.pid}`

/** Calls `change` with the store, opened for writing: the runs of processes that have died are ended by that. */
export function changeStore<T>(change: (store: JsonStore) => Promise<T>): Promise<T> {
  return useStore({ owner: cliOwner }, change)
}

/** Calls `change` with the deployments of the store, which may be changed. */
export function changeDeployments<T>(change: (deployments: Deployments) => Promise<T>): Promise<T> {
  return changeStore(async store => change(await deploymentsIn(store)))
}

/** The deployments of a store, which may be changed if the store may be. */
export async function deploymentsIn(store: Store): Promise<Deployments> {
  const [{ Deployments, documentsOf }, { realSurroundings }] = await Promise.all([
    import('../deployments/deployments.js'),
    import('../engine/surroundings.js'),
  ])
  return new Deployments({ documents: documentsOf(store), ...realSurroundings })
}

/**
 * Calls `use` with the folder of the store, which is not opened: what is in it may be damaged. What the system refuses is told with
 * what to do; all else is as it was thrown.
 */
export async function useFolder<T>(done: 'read' | 'rebuilt', use: (folder: string) => Promise<T>): Promise<T> {
  const [{ JsonStore }, { filesRefused }] = await Promise.all([
    import('../store/json.js'),
    import('../store/store-errors.js'),
  ])
  const { folder } = new JsonStore()
  try {
    return await use(folder)
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? filesRefused(folder, done, error) : error
  }
}

async function useStore<T>(
  how: { readonly owner: string; readonly readOnly?: true },
  use: (store: JsonStore) => Promise<T>,
): Promise<T> {
  const [{ JsonStore }, { codec }] = await Promise.all([import('../store/json.js'), import('../values/json.js')])
  const store = new JsonStore()
  await store.open({ ...how, codec, warn: message => process.stderr.write(`warning: ${message}\n`) })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}
