import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { outside } from '../fixtures/project.js'
import { carryOut, fold, manySessions, opened } from '../store/fixtures/sessions.js'
import { bin, mintakaIn } from './fixtures/mintaka.js'

const json = (text: string) => JSON.parse(text)
/** Numbers of this machine and this moment. */
const plain = (text: string) => text.replace(/\d+ on \S+/g, 'PID on HOST').replace(/ +/g, ' ')

test('store info tells what is there, and who writes', async t => {
  const folder = t.testdir()
  const home = `${folder}/home`
  await manySessions(t, home, 3)
  await fold(t, home)
  const { store } = await opened(t, home, { owner: 'alive' })
  await carryOut(store, 'one', 9000)
  await store.listFlowRuns()
  const mintaka = mintakaIn(folder)
  const { code, stdout } = await mintaka('store', 'info')
  t.equal(code, 0)
  const lines = plain(stdout).trimEnd().split('\n')
  t.match(lines, [
    /^folder \/.*\/home$/,
    'format 3',
    'catalogue generation 1',
    /^history 3 flow runs, \d+\.\d KiB in 1 files$/,
    /^journals 4, \d+\.\d KiB$/,
    'results 0 bytes',
    'cache 0 bytes',
    '',
    'journal process state since segments size',
  ])
  t.match(lines.slice(9).sort(), [
    /^alive PID on HOST alive (now|\d+ seconds? ago) 1 \d+\.\d KiB$/,
    /^session-0 PID on HOST folded /,
    /^session-1 PID on HOST folded /,
    /^session-2 PID on HOST folded /,
  ])
  const info = json((await mintaka('store', 'info', '--json')).stdout)
  t.match(info, {
    format: 3,
    catalogue: 'whole',
    generation: 1,
    foldedFlowRuns: 3,
    history: [{ name: '0001', flowRuns: 3 }],
  })
  t.match(
    info.journals.find(({ name }: { name: string }) => name === 'alive'),
    { pid: process.pid, state: 'alive' },
  )
})

test('store info of nothing is no error', async t => {
  const { code, stdout } = await mintakaIn(t.testdir())('store', 'info')
  t.equal(code, 0)
  t.match(stdout, /catalogue +missing/)
})

test('store verify finds what is damaged, and rebuild mends what can be', async t => {
  const folder = t.testdir()
  const home = `${folder}/home`
  await manySessions(t, home, 3)
  await fold(t, home)
  const mintaka = mintakaIn(folder)
  t.strictSame(await mintaka('store', 'verify'), {
    code: 0,
    stdout: 'All is well: 3 flow runs in 36 lines, 0 files of results.\n',
    stderr: '',
  })
  const damage = (name: string, at: number) => {
    const bytes = readFileSync(`${home}/${name}`)
    bytes[at]! ^= 1
    writeFileSync(`${home}/${name}`, bytes)
  }
  damage('index/0001.ndjson', 300)
  damage('catalogue.json', 20)
  mkdirSync(`${home}/results/pool/ab`, { recursive: true })
  writeFileSync(`${home}/results/pool/ab/abc.json`, '1')
  const { code, stdout } = await mintaka('store', 'verify')
  t.equal(code, 1)
  t.match(stdout, /catalogue\.json: the catalogue is damaged: mintaka store rebuild makes it anew/)
  t.match(stdout, /abc\.json: its content is not what its name says/)
  const rebuilt = await mintaka('store', 'rebuild')
  t.equal(rebuilt.code, 0)
  t.match(rebuilt.stderr, /^warning: The catalogue .* was damaged. It has been rebuilt/)
  t.match(rebuilt.stdout, /^Catalogue and index have been rebuilt: \d flow runs in 1 files of the history\.$/m)
  const { problems } = json((await mintaka('store', 'verify', '--json')).stdout)
  t.match(problems, [{ path: /abc\.json$/ }])
  t.equal(problems.length, 1)
  t.equal(json((await mintaka('flow-run', 'ls', '--json')).stdout).length, 3)
})

test('store verify names file and byte of a damaged line', async t => {
  const folder = t.testdir()
  const home = `${folder}/home`
  await manySessions(t, home, 1)
  const path = `${home}/journals/session-0.0001.ndjson`
  const text = readFileSync(path, 'utf8')
  const at = text.indexOf('{"f":')
  writeFileSync(path, text.replace('name of run-0', 'name of run-X'))
  const { code, stdout } = await mintakaIn(folder)('store', 'verify')
  t.equal(code, 1)
  t.match(stdout, `session-0.0001.ndjson at byte ${at}: `)
})

test('store prune removes old flow runs', async t => {
  const folder = t.testdir()
  const home = `${folder}/home`
  await manySessions(t, home, 5)
  const mintaka = mintakaIn(folder)
  t.match(await mintaka('store', 'prune', '--keep', '2', '--dry-run'), {
    code: 0,
    stdout: '3 flow runs would be removed.\n',
  })
  t.match(json((await mintaka('store', 'prune', '--keep', '4', '--older-than', '1h', '--json')).stdout), {
    flowRuns: 1,
    dryRun: false,
  })
  const { code, stdout, stderr } = await mintaka('store', 'prune', '--older-than', '0.5d')
  t.match(stdout, /^4 flow runs have been removed, \d+\.\d KiB; and 0 expired entries of the cache/)
  t.strictSame([code, stderr], [0, ''])
  t.strictSame(readdirSync(`${home}/history`), [])
  for (const wrong of [[], ['--older-than', '3 weeks'], ['--keep', '-1']])
    t.equal((await mintaka('store', 'prune', ...wrong)).code, 2)
})

test('store rebuild of a sound store has nothing to warn of, and keeps what the catalogue was', async t => {
  const folder = t.testdir()
  const home = `${folder}/home`
  await manySessions(t, home, 3)
  await fold(t, home)
  const before = readFileSync(`${home}/catalogue.json`, 'utf8')
  const { code, stderr, stdout } = await mintakaIn(folder)('store', 'rebuild')
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^Catalogue and index have been rebuilt: \d flow runs in 1 files of the history\.$/m)
  const kept = readdirSync(home).filter(name => name.startsWith('catalogue.before-'))
  t.equal(kept.length, 1)
  t.equal(readFileSync(`${home}/${kept[0]}`, 'utf8'), before)
})

test('store rebuild of a store that one may only read, or that is no folder, says in a sentence what to do', async t => {
  const folder = t.testdir({ file: '' })
  const home = `${folder}/home`
  await manySessions(t, home, 1)
  chmodSync(home, 0o755)
  chmodSync(`${home}/tmp`, 0o555)
  // Root may do everything, and becomes somebody else.
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const args = ['-u', 'NODE_OPTIONS', process.execPath, bin, '--home', home, 'store', 'rebuild'] // without the test runner
  const child = spawn('env', args, { env: outside(), stdio: ['ignore', 'ignore', 'pipe'], ...nobody })
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
  chmodSync(`${home}/tmp`, 0o755)
  t.equal(code, 1)
  const sentence =
    /^error: The store in .*home could not be rebuilt: there is no permission to use .*tmp.* Give it to .*\n$/
  t.match(stderr, sentence)
  const mintaka = mintakaIn(folder)
  for (const [verb, done] of [
    ['rebuild', 'rebuilt'],
    ['verify', 'read'],
    ['info', 'read'],
  ] as const) {
    const { code, stderr } = await mintaka('--home', 'file', 'store', verb)
    t.equal(code, 1)
    const why = `${folder}/file is in the way: it is not a folder`
    t.match(
      stderr,
      `error: The store in ${folder}/file could not be ${done}: ${why}. Move it away, or set MINTAKA_HOME`,
    )
    t.notMatch(stderr, / at /)
  }
})
