import { setTimeout as sleep } from 'node:timers/promises'
import type { Fetched } from './peer-values.js'

/** How often peers are asked, and how long a busy one is left alone. */
const mostTries = 40
const busyMs = 150

/** What {@link gather} needs. */
export interface Gatherer {
  isHere(key: string): boolean
  /** Fetches values from a peer, and keeps what it has. */
  copy(from: string, keys: readonly string[]): Promise<Fetched['type']>
}

/** Brings values here, from one peer or another. Gives the keys of those that nobody has. */
export async function gather(whoHas: ReadonlyMap<string, readonly string[]>, by: Gatherer): Promise<string[]> {
  const places = new Map([...whoHas].map(([key, addresses]) => [key, [...addresses]]))
  for (let tries = 0; tries < mostTries; tries++) {
    const asked = firstPlaces(places, by)
    if (asked.size === 0) break
    const ends = await Promise.all([...asked].map(async ([from, keys]) => ({ keys, end: await by.copy(from, keys) })))
    const over = ends.filter(({ end }) => end !== 'busy')
    for (const { keys } of over) for (const key of keys) places.get(key)?.shift()
    if (over.length === 0) await sleep(busyMs)
  }
  return [...places.keys()].filter(key => !by.isHere(key))
}

/** The first peer of each key that is not here, and what it is asked for. */
function firstPlaces(places: ReadonlyMap<string, readonly string[]>, by: Gatherer): Map<string, string[]> {
  const asked = new Map<string, string[]>()
  for (const [key, [first]] of places) {
    if (first === undefined || by.isHere(key)) continue
    const keys = asked.get(first)
    if (keys) keys.push(key)
    else asked.set(first, [key])
  }
  return asked
}
