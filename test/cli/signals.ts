import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

const long = `
  import { flow, task, taskContext } from 'mintaka'
  const nap = (ms, signal) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => { clearTimeout(timer); reject(signal.reason) })
  })
  const polite = task('polite', () => { console.log('begun'); return nap(60_000, taskContext().signal) })
  const rude = task('rude', () => { console.log('begun'); return nap(60_000) })
  export const kind = flow('kind', async () => { await polite() })
  export const hard = flow('hard', async () => { await rude() })
  export const lost = flow('lost', () => new Promise(() => {}))
`

test('a first signal cancels the flow run, and the exit code tells which signal', async t => {
  const mintaka = mintakaIn(t.testdir({ 'long.mjs': long }))
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const { child, ended } = mintaka.start('run', 'long.mjs:kind')
    child.stdout.once('data', () => child.kill(signal))
    const end = await ended
    t.equal(end.code, code)
    t.match(end.stderr, /Cancelling flow run '[a-z-]+'/)
  }
  const runs = JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)
  t.strictSame(
    runs.map((run: { state: { name: string } }) => run.state.name),
    ['Cancelled', 'Cancelled'],
  )
})

test('a second signal ends a run that does not stop', async t => {
  const mintaka = mintakaIn(t.testdir({ 'long.mjs': long }))
  const { child, ended } = mintaka.start('run', 'long.mjs:hard')
  child.stdout.once('data', () => child.kill('SIGINT'))
  child.stderr.once('data', () => setTimeout(() => child.kill('SIGINT'), 100))
  t.equal((await ended).code, 130)
})

test('a flow run that waits for nothing that could come ends, and says so', async t => {
  const mintaka = mintakaIn(t.testdir({ 'long.mjs': long }))
  const { code, stderr } = await mintaka('run', 'long.mjs:lost')
  t.equal(code, 1)
  t.match(stderr, 'is stuck')
})
