import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

/** A flow that takes the room on the disk from its own process, and gives it back after so many milliseconds. */
const full = (ms: number) => `
  import { execFileSync } from 'node:child_process'
  import { flow, task } from 'mintaka'
  const limit = size => execFileSync('prlimit', ['--pid=' + process.pid, '--fsize=' + size + ':'])
  process.on('SIGXFSZ', () => {})
  process.on('exit', () => limit('unlimited')) // what tap writes at the end is no matter of ours
  const next = task('next', n => n + 1)
  export const fills = flow('fills', async () => {
    const one = await next(0)
    limit(0)
    setTimeout(() => limit('unlimited'), ${ms})
    return next(next(one))
  })
`

const onLinux = spawnSync('prlimit', ['--version']).status === 0

if (onLinux) {
  test('a store that cannot be written for too long ends the run, and what is lost is told', async t => {
    const folder = t.testdir({ 'full.mjs': full(60_000) })
    const { code, stdout, stderr } = await mintakaIn(folder, { MINTAKA_LOG: 'warn' })(
      'run',
      'full.mjs',
      '--store-timeout',
      '0.5',
    )
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(
      stderr,
      /could not be written: EFBIG.* Raise the limit on the size of files \(ulimit -f\)\. Nothing is lost so far/,
    )
    t.match(stderr, /\d+ lines could not be saved, of \d+ runs: flow run '/)
  })

  test('a store that can be written again in time costs nothing but that time', async t => {
    const folder = t.testdir({ 'full.mjs': full(300) })
    const mintaka = mintakaIn(folder)
    // Months are longer than a timer takes.
    const { code, stdout } = await mintaka('run', 'full.mjs', '--store-timeout', '9000000')
    t.strictSame([code, stdout], [0, '3\n'])
    const { stdout: listed } = await mintaka('flow-run', 'ls', '--json')
    t.match(JSON.parse(listed), [{ flowName: 'fills', state: { type: 'COMPLETED' } }])
  })
}

test('--store-timeout is a number of seconds', async t => {
  const { code, stderr } = await mintakaIn(t.testdir())('run', 'x.mjs', '--store-timeout', 'soon')
  t.equal(code, 2)
  t.match(stderr, /--store-timeout.*It is a number of seconds/)
})
