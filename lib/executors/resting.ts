import type { ThreadPool } from '../threads/pool.js'
import { defaultThreads } from '../threads/thread-count.js'

/** Pools that no flow run uses and whose threads stay warm for the next, longest unused first. */
const resting = new Set<ThreadPool>()

/**
 * Lets the threads of a pool stay warm while no flow run uses it: together with those of others at most two for each
 * processor, and the longest unused end first. A program that makes a definition for each run, and uses it once, would
 * otherwise fill the memory with threads that nobody comes back for.
 */
export function rest(pool: ThreadPool): void {
  resting.add(pool)
  const most = 2 * defaultThreads()
  let count = 0
  for (const each of [...resting].reverse()) {
    count += each.threadCount
    if (each.threadCount > 0 && (count <= most || each === pool)) continue
    resting.delete(each)
    each.endIdle()
  }
}

/** A flow run uses the pool, or it is closed. */
export function wake(pool: ThreadPool): void {
  resting.delete(pool)
}
