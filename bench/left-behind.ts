/** A process that writes a line for each state until there are so many, and dies: for `bench/store.ts`. */
import { JsonStore } from '../lib/store/json.js'
import { begin, end, flowRunIn, taskRun } from './records.js'

const [folder, lines] = process.argv.slice(2)
const store = new JsonStore({ folder })
const flowRun = await flowRunIn(store, 'dead')
let last: unknown
for (let index = 0; index < Number(lines) / 3; index++) {
  const run = taskRun(flowRun.id, index)
  store.createTaskRun(run)
  begin(store, run)
  last = end(store, run)
  if (index % 5_000 === 0) await last
}
await last
process.kill(process.pid, 'SIGKILL')
