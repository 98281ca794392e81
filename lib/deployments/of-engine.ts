import type { Documents } from '../core/documents.js'
import type { Engine } from '../engine/engine.js'
import { Deployments, documentsOf } from './deployments.js'

/** The deployments in the store of an engine. */
export function deploymentsOf(engine: Engine): Deployments {
  const { now, newId, newName } = engine.surroundings
  return new Deployments({ documents: documentsWhenReady(engine), now, newId, newName })
}

/** The documents of a store that is being opened. */
function documentsWhenReady({ ready, store }: Engine): Documents {
  const open = async () => {
    await ready
    return documentsOf(store)
  }
  return {
    put: async (kind, key, value) => (await open()).put(kind, key, value),
    create: async (kind, key, value) => (await open()).create(kind, key, value),
    get: async (kind, key) => (await open()).get(kind, key),
    list: async kind => (await open()).list(kind),
    remove: async (kind, key) => (await open()).remove(kind, key),
    exclusively: async (name, action) => (await open()).exclusively(name, action),
  }
}
