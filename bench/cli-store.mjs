// For bench/cli.ts: node cli-store.mjs FOLDER FLOW-RUNS TASKS. Fills a store with so many flow runs, and before the last of them one
// of so many tasks, whose id it prints.
import { createEngine, flow, JsonStore, task } from 'mintaka'

const [folder, flowRuns, tasks] = process.argv.slice(2)
const increment = task('increment', async n => n + 1)
const nothing = flow('nothing', async n => n)
const large = flow('large', async count => {
  for (let from = 0; from < count; from += 1000) {
    await Promise.all(Array.from({ length: Math.min(1000, count - from) }, (_, index) => increment(from + index)))
  }
})

const engine = createEngine({ store: new JsonStore({ folder }) })
const some = async count => {
  for (let from = 0; from < count; from += 500) {
    const group = Array.from({ length: Math.min(500, count - from) }, (_, index) => engine.run(nothing, from + index))
    await Promise.all(group)
  }
}
await some(Number(flowRuns) - 1000)
const future = engine.run(large, Number(tasks))
await future
await some(999)
await engine.close()
console.log(future.id)
