import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { verbs } from '../../../lib/cli/verbs.js'
import { bin } from '../fixtures/mintaka.js'
import { sessionIn } from '../fixtures/session.js'

const goldenStore = fileURLToPath(new URL('../fixtures/golden-store.mjs', import.meta.url))
const now = Date.parse('2026-10-01T12:00:00Z')

test('flow runs, flows and deployments are those of the store', async t => {
  const folder = t.testdir({
    'deployed.mjs': "import { deployment, flow } from 'mintaka'\ndeployment('daily', flow('report', () => 1))",
  })
  const mintaka = sessionIn(t, folder, { now })
  await mintaka.prepare(goldenStore)
  const completed = async (...words: string[]) => {
    const { code, stdout, stderr } = await mintaka('__complete', '--', ...words)
    t.strictSame([code, stderr], [0, ''])
    return stdout.split('\n').slice(0, -1)
  }
  t.strictSame(await completed('flow-run', 'inspect', ''), [
    'busy-bee\treport, Running',
    'plain-wren\treport, Cancelled',
    'tidy-mole\tclean-up-all-that-is-not-needed-any-more, Completed',
    'eager-otter\treport, Failed',
    'calm-heron\treport, Completed',
  ])
  t.strictSame(await completed('flow-run', 'inspect', '7'), ['7ee4g8i6f1h3j7o9\tbusy-bee of report, Running'])
  t.strictSame(await completed('flow-run', 'cancel', ''), ['busy-bee\treport, Running'], 'those that go on')
  t.strictSame(await completed('flow-run', 'retry', ''), ['eager-otter\treport, Failed'], 'those that failed')
  t.strictSame(await completed('flow-run', 'ls', '--flow-name', 'r'), ['report'])
  t.strictSame(await completed('--home', 'elsewhere', 'flow-run', 'inspect', ''), [])
  t.equal((await mintaka('deployment', 'create', 'deployed.mjs')).code, 0)
  t.strictSame(await completed('deployment', 'pause', ''), ['report/daily'])
  t.strictSame(await completed('flow-run', 'nope', ''), [])
})

test('every verb can be completed', async t => {
  const mintaka = sessionIn(t, t.testdir())
  for (const verb of Object.keys(verbs)) {
    const { stdout } = await mintaka('__complete', '--', ...verb.split(' '), '--h')
    t.match(stdout, /^--help\t/m, verb)
  }
})

test('bash asks, whatever it takes for ends of words', async t => {
  const folder = t.testdir({ 'a b.ts': '', 'c.ts': '', bin: {} })
  const mintaka = sessionIn(t, folder, { now })
  await mintaka.prepare(goldenStore)
  writeFileSync(join(folder, 'complete.bash'), (await mintaka('completion', 'bash')).stdout)
  writeFileSync(join(folder, 'bin/mintaka'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`)
  chmodSync(join(folder, 'bin/mintaka'), 0o755)
  const ask = `
    source complete.bash
    ask() { COMP_WORDS=(mintaka "$@"); COMP_CWORD=$#; _mintaka; echo "\${COMPREPLY[*]}"; }
    ask flow-run insp
    ask flow-run inspect eag
    ask flow-run ls --state = fai
    ask run c.ts --executor = p
    ask run c.
    ask run a`
  const { NODE_OPTIONS: _, ...inherited } = process.env
  const env = {
    ...inherited,
    MINTAKA_HOME: join(folder, 'home'),
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
  }
  const said = execFileSync('bash', ['-c', ask], { cwd: folder, env, encoding: 'utf8' })
  t.strictSame(said.trimEnd().split('\n'), ['inspect', 'eager-otter', 'failed', 'parallel', 'c.ts', 'a b.ts'])
})

test('each shell has its script', async t => {
  const mintaka = sessionIn(t, t.testdir())
  for (const [shell, line] of [
    ['bash', 'complete -F _mintaka mintaka'],
    ['zsh', '#compdef mintaka'],
    ['fish', 'complete -c mintaka -f -k'],
  ] as const) {
    const { code, stdout } = await mintaka('completion', shell)
    t.equal(code, 0)
    t.match(stdout, line)
  }
  const { code, stderr } = await mintaka('completion', 'bsh')
  t.equal(code, 2)
  t.match(stderr, "It is one of bash, zsh, fish. Did you mean 'bash' or 'zsh'?")
})
