// A flow on schedule, in this process, until it has run twice. 11-deployments.yaml has other deployments of it, for agents:
// npx mintaka deployment create examples/11-deployments.yaml && npx mintaka agent start

import { createEngine, deployment, flow, MemoryStore, serve, task } from 'mintaka'

const read = task('read', (sensor: string) => ({ sensor, degrees: sensor.length * 3 }))

const enough = new AbortController()
let runs = 0

export const watch = flow('watch', async (p: { sensors: readonly string[] }) => {
  const values = await Promise.all(p.sensors.map(read))
  console.log(values.map(({ sensor, degrees }) => `${sensor} ${degrees} °C`).join(', '))
  runs += 1
  if (runs === 2) enough.abort()
})

const often = deployment('often', watch, {
  parameters: { sensors: ['roof', 'cellar'] },
  schedule: { intervalMs: 1000 },
})

await using engine = createEngine({ store: new MemoryStore(), logLevel: 'error' })
const service = await serve([often], { engine, signal: enough.signal })
await service.ended

for (const { run } of await engine.flowRuns.list({ deployment: [often.id] })) {
  const isOnTheSecond = (run.scheduledTime ?? Number.NaN) % 1000 === 0
  console.log(`a run of ${run.deployment} is ${run.state.name}, and was due on a full second: ${isOnTheSecond}`)
}
