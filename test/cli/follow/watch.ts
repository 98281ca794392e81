import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { mintakaIn } from '../fixtures/mintaka.js'
import { sessionIn } from '../fixtures/session.js'
import { atTerminal } from '../fixtures/terminal.js'

tap.setTimeout(180_000)

// Each task waits until the test has written its number into `go`.
const flows = `
  import { existsSync, readFileSync } from 'node:fs'
  import { flow, flowContext, task, taskContext } from 'mintaka'
  const may = number => existsSync('go') && readFileSync('go', 'utf8').includes(number)
  const until = async number => { while (!may(number)) await new Promise(resolve => setTimeout(resolve, 20)) }
  const step = task('step', async number => { await until(number); taskContext().log.info('step ' + number); return number })
  const part = flow('part', async () => { flowContext().log.warn('part'); return step(2) }).with({ name: 'tidy-mole' })
  export const main = flow('main', async () => {
    flowContext().log.info('begun')
    console.log('begun')
    await step(1)
    await part()
  }).with({ name: 'busy-bee' })
`

/** A flow run of another process, which has begun. `go` lets its next step end. */
async function begun(t: Test) {
  const folder = t.testdir({ 'flows.mjs': flows })
  const { child, ended } = mintakaIn(folder).start('run', 'flows.mjs:main')
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return { folder, child, ended, go: (number: number) => appendFileSync(join(folder, 'go'), `${number}`) }
}

test('a flow run of another process is watched until it has ended: a line for each state', async t => {
  const { folder, go, ended } = await begun(t)
  const watching = sessionIn(t, folder)('flow-run', 'watch', 'busy-bee')
  const logging = sessionIn(t, folder)('flow-run', 'logs', '-f', 'busy-bee')
  go(1)
  go(2)
  const { code, stdout } = await watching
  t.equal(code, 0)
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map(line => line.slice(25).replaceAll(/-[0-9a-f]{8}-/g, '-'))
  t.strictSame(
    lines.filter(line => !line.endsWith('Pending') && !line.includes('part-0')),
    [
      'main busy-bee  Running',
      'busy-bee step-0  Running',
      'busy-bee step-0  Completed',
      'part tidy-mole  Running',
      'tidy-mole step-0  Running',
      'tidy-mole step-0  Completed',
      'part tidy-mole  Completed',
      'main busy-bee  Completed',
    ],
  )
  t.equal((await ended).code, 0)
  const logs = await logging
  t.equal(logs.code, 0)
  const said = logs.stdout
    .trimEnd()
    .split('\n')
    .map(line => line.slice(26).replaceAll(/-[0-9a-f]{8}-/g, '-'))
  t.strictSame(said, [
    'INFO  | busy-bee | begun',
    'INFO  | step-0 | step 1',
    'WARN  | tidy-mole | part',
    'INFO  | step-0 | step 2',
  ])
})

test('on a terminal it is a live tree, and Ctrl-C ends the looking only', async t => {
  const { folder, go, ended } = await begun(t)
  const first = atTerminal(t, folder, ['flow-run', 'watch', 'busy-bee'])
  await first.until(screen => screen.some(line => /main busy-bee/.test(line)) && screen.some(line => /step/.test(line)))
  first.type('\u0003')
  t.equal(await first.ended, 130)
  t.match(first.emulator.screen().join('\n'), "Flow run 'busy-bee' goes on.")
  const second = atTerminal(t, folder, ['flow-run', 'watch', 'busy-bee'])
  await second.until(screen => screen.some(line => /step/.test(line)))
  go(1)
  await second.until(screen => screen.some(line => /tidy-mole|part/.test(line)))
  go(2)
  t.equal(await second.ended, 0)
  t.match(second.emulator.screen().join('\n'), /✔ main busy-bee/)
  t.equal((await ended).code, 0)
})

test('when its process dies, nobody waits any longer', async t => {
  const { folder, child, ended } = await begun(t)
  const watching = sessionIn(t, folder)('flow-run', 'watch', 'busy-bee')
  const logging = sessionIn(t, folder)('flow-run', 'logs', '-f', 'busy-bee')
  child.kill('SIGKILL')
  await ended
  for (const { code, stderr } of [await watching, await logging]) {
    t.equal(code, 1)
    t.match(stderr, "The process of flow run 'busy-bee' has died. mintaka store recover makes it Crashed")
  }
})
