import type { Surroundings } from '../core/surroundings.js'

/** Time that moves when it is told to, and names that are the same in every test. */
export interface SimulatedClock extends Surroundings {
  /**
   * Moves the time on, and calls back on its way everything that falls due, in order. Before, between and after, it
   * waits until what was called back has come to rest. Resolves when the time is there.
   */
  advance(ms: number): Promise<void>
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

/**
 * Makes a simulated clock: a test of "retry after one hour" takes a millisecond. Ids are `run-1`, `run-2`, …; names
 * `calm-run-1`, …
 *
 * ```ts
 * const clock = simulatedClock()
 * await using engine = createEngine({ store: new MemoryStore(), surroundings: clock })
 * const run = engine.run(nightly)
 * await clock.advance(3_600_000)
 * ```
 */
export function simulatedClock(startAt = Date.UTC(2020, 0, 1)): SimulatedClock {
  const timers = new Set<Timer>()
  let time = startAt
  let order = 0
  let ids = 0
  let names = 0

  const next = (until: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.at > until) continue
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    }
    return first
  }

  return {
    now: () => time,
    timer(ms, callback) {
      const timer = { at: time + Math.max(0, ms), order: order++, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    newId: () => `run-${++ids}`,
    newName: () => `calm-run-${++names}`,
    async advance(ms) {
      const target = time + ms
      await atRest()
      for (let timer = next(target); timer; timer = next(target)) {
        timers.delete(timer)
        time = timer.at
        timer.callback()
        await atRest()
      }
      time = target
      await atRest()
    },
  }
}

/** Lets promises and immediates run until nothing more follows from what has happened so far. */
async function atRest(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise(resolve => setImmediate(resolve))
}
