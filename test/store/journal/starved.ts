import { readdirSync, statSync } from 'node:fs'
import { createEngine, flow, JsonStore, task } from 'mintaka'
import { test } from 'tap'
import { violations } from '../fixtures/invariants.js'

// A flow that awaits nothing but promises gives the event loop no turn, nor what waits for the end of one.

test('a flow of 200,000 tasks that never gives way is written as it goes', async t => {
  const folder = t.testdir()
  await using engine = createEngine({ store: new JsonStore({ folder }) })
  const length = 200_000
  const step = task('step', (n: number) => n)
  let turns = 0
  const written: number[] = []
  const chain = flow('chain', async () => {
    setImmediate(() => (turns += 1))
    for (let n = 1; n <= length; n += 1) {
      step(n)
      await undefined
      if (n % (length / 4) === 0) written.push(bytesIn(`${folder}/journals`))
    }
    t.equal(turns, 0, 'the loop had no turn in all that time')
  })
  await engine.run(chain)
  const whole = bytesIn(`${folder}/journals`)
  for (const [index, bytes] of written.entries()) {
    const share = (index + 1) / written.length
    t.ok(bytes > whole * share * 0.6, `after ${share} of the calls ${bytes} of ${whole} bytes were written`)
  }
  const [flowRun] = await engine.flowRuns.list()
  t.equal((await engine.taskRuns.list(flowRun!.run.id)).length, length)
  await engine.close()
  t.strictSame(await violations(folder), [])
})

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0)
}
