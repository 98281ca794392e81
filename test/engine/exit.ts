import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createEngine, JsonStore } from 'mintaka'
import tap, { type Test, test } from 'tap'
import { opened } from '../store/fixtures/sessions.js'
import { silent } from './fixtures/engine.js'

tap.setTimeout(120_000)

const script = fileURLToPath(new URL('fixtures/exits.mjs', import.meta.url))

async function exitCodeOf(t: Test, folder: string, how: string): Promise<number> {
  const child = spawn(process.execPath, [script, folder, how], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  const [code] = await once(child, 'exit')
  return code
}

for (const [how, exitCode] of [
  ['task', 3],
  ['body', 3],
  ['uncaught', 1],
] as const)
  test(`process.exit() in the middle of runs (${how}): they are CRASHED before the process has gone, and its exit code stays`, async t => {
    const folder = t.testdir()
    t.equal(await exitCodeOf(t, folder, how), exitCode)
    const { store } = await opened(t, folder, { readOnly: true })
    const flows = await store.listFlowRuns()
    const [before, ...others] = flows.toReversed()
    t.equal(before?.run.state.type, 'COMPLETED')
    t.ok(others.length >= 2)
    const why = new RegExp(
      `^The process \\d+ on host '.*' ended with exit code ${exitCode} (while|before) it carried out`,
    )
    for (const { run, ownerGone } of others) {
      t.equal(run.state.type, 'CRASHED', run.name)
      t.match(run.state.message, why)
      t.equal(ownerGone, undefined, 'it has been closed')
      for (const task of await store.listTaskRuns(run.id)) {
        t.match(task.run.state.type, /^(COMPLETED|CRASHED)$/)
        if (task.run.taskName === 'adds' && task.run.state.type === 'CRASHED') t.match(task.run.state.message, why)
      }
    }
    const [first] = await store.listTaskRuns(others[0]!.run.id)
    t.match(first?.run, { taskName: 'adds', state: { type: 'COMPLETED' } }, 'what was done is kept')
    const { store: writer, warnings } = await opened(t, folder)
    t.equal((await writer.listFlowRuns()).length, flows.length)
    t.strictSame(warnings, [], 'nobody has to be ended')
  })

test('engines that are closed leave no listener for the end of the process behind', async t => {
  const before = process.listenerCount('exit')
  for (let index = 0; index < 3; index += 1) {
    const engine = createEngine({ store: new JsonStore({ folder: t.testdir() }), logger: silent })
    await engine.flowRuns.list()
    await engine.close()
  }
  t.equal(process.listenerCount('exit'), before)
})
