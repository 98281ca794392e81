// A task that fails is tried again: with a growing delay, and only if the error is worth it.

import { createEngine, exponential, flow, MemoryStore, task, taskContext } from 'mintaka'

class RateLimited extends Error {
  override name = 'RateLimited'
}

const fetchPrice = task(
  'fetch price',
  (symbol: string) => {
    if (symbol === '???') throw new TypeError(`no such symbol: ${symbol}`)
    if (taskContext().attempt < 3) throw new RateLimited('too many requests')
    return symbol.length * 10
  },
  {
    retries: 4,
    retryDelayMs: exponential({ initialMs: 10, factor: 2, maxMs: 1000, jitter: 0.2 }),
    retryIf: error => error instanceof RateLimited, // what no retry can help is not tried again
  },
)

const prices = flow('prices', async () => {
  const known = await fetchPrice('ORI')
  const unknown = await fetchPrice('???').wait() // the settled state; never throws
  return { known, unknown: unknown.message }
})

// An engine of our own, so that the history can be read afterwards without leaving files behind.
const engine = createEngine({ store: new MemoryStore(), logger: { debug() {}, info() {}, warn() {}, error() {} } })
const run = engine.run(prices)
console.log(await run)
for (const { run: taskRun, states } of await engine.taskRuns.list(run.id)) {
  console.log(`${taskRun.taskName} ${taskRun.dynamicKey}: ${states.map(state => state.name).join(' > ')}`)
}
await engine.close()
