import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { verbs } from '../../lib/cli/verbs.js'
import { mintakaIn } from './fixtures/mintaka.js'

test('help lists every verb, and every verb has help with an example', async t => {
  const mintaka = mintakaIn(t.testdir())
  const { code, stdout } = await mintaka('--help')
  t.equal(code, 0)
  for (const verb of Object.keys(verbs)) {
    t.match(stdout, new RegExp(`^ {2}${verb.split(' ')[0]} `, 'm'))
    const help = await mintaka(...verb.split(' '), '--help')
    t.equal(help.code, 0)
    t.match(help.stdout, /Examples?:\n {2}\$ mintaka /, verb)
  }
  t.match((await mintaka('help', 'run')).stdout, '--executor')
})

test('version and --version tell what runs', async t => {
  const mintaka = mintakaIn(t.testdir())
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

test('a command that makes no sense exits with 2 and suggests the nearest', async t => {
  const mintaka = mintakaIn(t.testdir())
  const verb = await mintaka('rnu')
  t.equal(verb.code, 2)
  t.match(verb.stderr, /unknown command 'rnu'\n\(Did you mean run\?\)/)
  const option = await mintaka('flow-run', 'ls', '--stat', 'failed')
  t.equal(option.code, 2)
  t.match(option.stderr, 'Did you mean --state?')
  t.equal((await mintaka()).code, 2)
  t.equal((await mintaka('flow-run')).code, 2)
  t.equal((await mintaka('run')).code, 2)
})
