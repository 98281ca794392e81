/** Ways to call. */
import type { Load, Run } from './contenders.js'
import { median } from './rounds.js'

/** All at once; microseconds per call. */
export function atOnce(count: number): Load {
  return async run => {
    const start = performance.now()
    await Promise.all(Array.from({ length: count }, (_, index) => run(index)))
    return ((performance.now() - start) / count) * 1000
  }
}

/** As many at any time; microseconds per call. */
export function inFlight(count: number, lanes: number): Load {
  return async run => {
    let left = count
    const lane = async () => {
      while (left-- > 0) await run(0)
    }
    const start = performance.now()
    await Promise.all(Array.from({ length: lanes }, lane))
    return ((performance.now() - start) / count) * 1000
  }
}

/** Each after the one before has ended; the median of them, in microseconds. */
export function oneAtATime(count: number): Load {
  return async run => {
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const start = performance.now()
      await run(index)
      times.push((performance.now() - start) * 1000)
    }
    return median(times)
  }
}

/** One of each size at once; milliseconds until the last has ended. */
export function makespan(sizes: readonly number[]): Load {
  return async (run: Run) => {
    const start = performance.now()
    await Promise.all(sizes.map(size => run(size)))
    return performance.now() - start
  }
}
