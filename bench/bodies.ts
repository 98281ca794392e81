/** The functions that every contender carries out: the same exports of the same modules. */
import { median } from './rounds.js'

/** An export of a module. */
export interface Body {
  readonly url: string
  readonly exportName: string
}

const tinyModule = new URL('./peers/tiny.mjs', import.meta.url).href
const workModule = new URL('./peers/work.mjs', import.meta.url).href

/** `value + 1`. */
export const increment: Body = { url: tinyModule, exportName: 'increment' }
/** `value - 1`. */
export const decrement: Body = { url: tinyModule, exportName: 'decrement' }
/** `value + 1`, from an async function. */
export const incrementLater: Body = { url: tinyModule, exportName: 'incrementLater' }
/** Hashes as many blocks as it is told. */
export const work: Body = { url: workModule, exportName: 'work' }
/** The same; gives the time at which it ended. */
export const workUntil: Body = { url: workModule, exportName: 'workUntil' }

/**
 * How many blocks take so many milliseconds here. The work is native, because the speed of JavaScript differs from
 * thread to thread by how it was optimized there.
 */
export async function calibrate(): Promise<(ms: number) => number> {
  const { work } = (await import(workModule)) as { work(blocks: number): number }
  const none = msOf(() => work(0))
  const each = (msOf(() => work(2000)) - none) / 2000
  return ms => Math.max(0, Math.round((ms - none) / each))
}

function msOf(run: () => void): number {
  const times = Array.from({ length: 25 }, () => {
    const start = performance.now()
    for (let index = 0; index < 4; index++) run()
    return (performance.now() - start) / 4
  })
  return median(times)
}
