// A flow run that is killed goes on from its last completed task: in another process, without a database.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine, flow, JsonStore, task } from 'mintaka'

const [home = mkdtempSync(join(tmpdir(), 'mintaka-'))] = process.argv.slice(2)
const isVictim = process.argv.length > 2

const download = task('download', async (year: number) => {
  console.log(`downloading ${year}`)
  if (isVictim && year === 2026) process.kill(process.pid, 'SIGKILL') // a power cut, a redeployment, out of memory …
  return { year, rows: year * 1000 }
})

const total = task('total', (parts: { rows: number }[]) => parts.reduce((sum, { rows }) => sum + rows, 0))

const yearly = flow('yearly', async (p: { from: number; to: number }) => {
  const parts: { year: number; rows: number }[] = []
  for (let year = p.from; year <= p.to; year++) parts.push(await download(year))
  return total(parts)
})

const engine = createEngine({ store: new JsonStore({ folder: home }), logLevel: 'error' })

if (isVictim) {
  await engine.run(yearly, { from: 2024, to: 2027 })
} else {
  // This file in a process of its own, which dies while it downloads 2026.
  const { signal, stdout } = spawnSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), home], {
    encoding: 'utf8',
  })
  console.log(`${stdout.trimEnd()}\nended by ${signal}`)

  const [dead] = await engine.flowRuns.list({ flowName: ['yearly'] })
  console.log(`the flow run is ${dead?.run.state.name}`)
  const resumed = engine.resume(dead?.run.id ?? '', yearly) // with what it was called with then
  console.log(`${await resumed} rows`)
  for (const { run } of await engine.taskRuns.list(resumed.id)) console.log(`${run.taskName}: ${run.state.name}`)
}
await engine.close()
if (!isVictim) rmSync(home, { recursive: true })
