// Durable workflow steps by DBOS: node dbos.mjs FOLDER URL, where FOLDER has the package. For each line of its input, "one 100"
// or "fifty 100", it runs a workflow of so many steps, and prints how many milliseconds that took.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [folder, systemDatabaseUrl] = process.argv.slice(2)
const path = createRequire(join(folder, 'package.json')).resolve('@dbos-inc/dbos-sdk')
const { DBOS } = await import(pathToFileURL(path).href)

DBOS.setConfig({ name: 'bench', systemDatabaseUrl, logLevel: 'error', runAdminServer: false })
const increment = async n => n + 1
const step = n => DBOS.runStep(() => increment(n), { name: 'increment' })

const workflows = {
  one: DBOS.registerWorkflow(
    async count => {
      let last = 0
      for (let index = 0; index < count; index++) last = await step(last)
      return last
    },
    { name: 'one' },
  ),
  // DBOS wants parallel steps to be settled together.
  fifty: DBOS.registerWorkflow(
    async count => {
      let settled = 0
      for (let from = 0; from < count; from += 50) {
        const steps = Array.from({ length: Math.min(50, count - from) }, (_, index) => step(from + index))
        settled += (await Promise.allSettled(steps)).filter(({ status }) => status === 'fulfilled').length
      }
      return settled
    },
    { name: 'fifty' },
  ),
}

await DBOS.launch()
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [what, count] = line.split(' ')
  const begin = performance.now()
  const workflow = workflows[what] // not as a method: its `this` would mean something
  const result = await workflow(Number(count))
  const spent = performance.now() - begin
  if (result !== Number(count)) throw new Error(`${result} of ${count} steps`)
  console.log(`took ${spent}`)
}
await DBOS.shutdown()
process.exit()
