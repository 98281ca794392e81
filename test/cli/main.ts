import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { hasColors } from '../../lib/cli/print.js'
import { verbsLike } from '../../lib/cli/suggest.js'
import { verbs } from '../../lib/cli/verbs.js'
import { mintakaIn } from './fixtures/mintaka.js'
import { sessionIn } from './fixtures/session.js'

test('help lists every verb, and every verb has help with an example', async t => {
  const mintaka = sessionIn(t, t.testdir())
  const { code, stdout } = await mintaka('--help')
  t.equal(code, 0)
  for (const verb of Object.keys(verbs)) {
    t.match(stdout, new RegExp(`^ {2}${verb} `, 'm'))
    const help = await mintaka(...verb.split(' '), '--help')
    t.equal(help.code, 0)
    t.match(help.stdout, /Examples?:\n {2}\$ mintaka /, verb)
  }
  t.match((await mintaka('help', 'run')).stdout, '--executor')
})

test('version and --version tell what runs', async t => {
  const mintaka = sessionIn(t, t.testdir())
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const { stdout } = await mintaka('version')
  t.equal(
    stdout,
    `mintaka   ${version}\nnode      ${process.versions.node}\nplatform  ${process.platform} ${process.arch}\n`,
  )
  t.equal((await mintaka('--version')).stdout, stdout)
  t.strictSame(JSON.parse((await mintaka('version', '--json')).stdout), {
    mintaka: version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  })
})

test('a process ends with the exit code of its command', async t => {
  const mintaka = mintakaIn(t.testdir())
  const [help, none, wrong] = await Promise.all([mintaka('--help'), mintaka(), mintaka('rnu')])
  t.strictSame([help.code, none.code, wrong.code], [0, 2, 2])
  t.match(none.stderr, 'Usage: mintaka')
  t.match(wrong.stderr, 'Did you mean run?')
})

test('colours: NO_COLOR comes first, then FORCE_COLOR, then whether it is a terminal', async t => {
  t.equal(hasColors(true, {}), true)
  t.equal(hasColors(false, {}), false)
  t.equal(hasColors(true, { TERM: 'dumb' }), false)
  t.equal(hasColors(true, { NO_COLOR: '1' }), false)
  t.equal(hasColors(true, { NO_COLOR: '1', FORCE_COLOR: '1' }), false)
  t.equal(hasColors(true, { NO_COLOR: '' }), true, 'an empty one counts as none')
  for (const FORCE_COLOR of ['1', 'true', '']) t.equal(hasColors(false, { FORCE_COLOR }), true)
  for (const FORCE_COLOR of ['0', 'false']) t.equal(hasColors(true, { FORCE_COLOR }), false)
})

test('an unknown command suggests those that may be meant', async t => {
  const all = ['run', 'flow-run ls', 'flow-run inspect', 'deployment ls', 'store info']
  t.strictSame(verbsLike(['rnu'], all), ['run'])
  t.strictSame(verbsLike(['flow-run', 'lss'], all), ['flow-run ls'])
  t.strictSame(verbsLike(['flowrun', 'inspekt'], all), ['flow-run inspect'])
  t.strictSame(verbsLike(['flowrun'], all), ['flow-run'])
  t.strictSame(verbsLike(['ls'], all), ['flow-run ls', 'deployment ls'])
  t.strictSame(verbsLike(['xyzzy', 'ls'], all), [])
})

test('an id of whatever characters is told without moving the cursor', async t => {
  const { code, stderr } = await sessionIn(t, t.testdir())('flow-run', 'inspect', 'weird\u001b[2J\nx')
  t.equal(code, 1)
  t.match(stderr, /^error: There is no flow run 'weird\nx'/)
})

test('a home that is empty, as a variable is that is not set, is a mistake, and no store comes to be where one stands', async t => {
  const folder = t.testdir()
  const mintaka = sessionIn(t, folder)
  for (const args of [
    ['--home', '', 'flow-run', 'ls'],
    ['flow-run', 'ls', '--home='],
  ]) {
    const { code, stderr } = await mintaka(...args)
    t.equal(code, 2)
    t.match(stderr, /^error: option '--home <folder>' argument '' is invalid\. It is empty/)
  }
  t.strictSame(readdirSync(folder), [])
})

test('an agent that is to run more at once than any machine can is refused', async t => {
  const mintaka = sessionIn(t, t.testdir())
  for (const number of ['1e99', '1001', '0', '1.5', '']) {
    const { code, stderr } = await mintaka('agent', 'start', '--concurrency', number)
    t.equal(code, 2, number)
    t.match(stderr, 'It should be a whole number from 1 to 1000.')
  }
})
