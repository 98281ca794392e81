import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { until } from '../deployments/fixtures/until.js'
import { outside } from '../fixtures/project.js'
import { bin, mintakaIn } from './fixtures/mintaka.js'
import { inPseudoTerminal } from './fixtures/pseudo-terminal.js'

/** Flows that print, wait for a file `go`, and print more. */
const flows = `
  import { existsSync, writeFileSync } from 'node:fs'
  import { Readable } from 'node:stream'
  import { pipeline } from 'node:stream/promises'
  import { setTimeout } from 'node:timers/promises'
  import { flow, ParallelExecutor, task } from 'mintaka'
  const shout = task('shout', async n => { console.log('unread', n); process.stdout.write('unread' + n); return n })
  const talk = async () => {
    console.log('begun')
    while (!existsSync('go')) await setTimeout(20)
    for (let n = 0; n < 5; n++) process.stdout.write('unread\\n') || console.error('unread')
    await pipeline(Readable.from(['unread', 'unread']), process.stdout, { end: false })
    await new Promise((resolve, reject) => process.stderr.write('unread', error => error ? reject(error) : resolve()))
    return (await shout.map([1, 2, 3])).length
  }
  export const talks = flow('talks', talk)
  export const shouts = flow('shouts', talk, { executor: ParallelExecutor })
  export const fails = flow('fails', async () => { await talk(); throw new RangeError('by itself') })
  export const stays = flow('stays', async () => {
    process.on('SIGHUP', () => writeFileSync('go', ''))
    return talk()
  })
  process.on('exit', code => writeFileSync('left', String(code)))
`

/** What became of the newest flow run. */
async function stateOf(mintaka: ReturnType<typeof mintakaIn>): Promise<string> {
  return JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)[0].state.name
}

/** A command whose output nobody reads any more after its first piece. */
async function startUnread(folder: string, ...args: string[]) {
  const { child, ended } = mintakaIn(folder).start(...args)
  ended.catch(() => {}) // its texts are cut off
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  await once(child.stdout, 'data')
  child.stdout.destroy()
  child.stderr.destroy()
  return { exit }
}

/** The exit code and stderr of a command whose stdout is a file. */
async function into(file: string, folder: string, command: readonly string[], ...args: string[]) {
  const fd = openSync(file, 'w')
  const [program = '', ...words] = [...command, process.execPath, bin, ...args]
  const env = { ...outside(), MINTAKA_HOME: join(folder, 'home') }
  const child = spawn(program, words, { cwd: folder, env, stdio: ['ignore', fd, 'pipe'] })
  closeSync(fd)
  const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr!)])
  return { code, stderr }
}

for (const [name, state, code] of [
  ['talks', 'Completed', 0],
  ['shouts', 'Completed', 0],
  ['fails', 'Failed', 1],
] as const) {
  test(`a flow run goes on when whoever reads what it prints has gone: one that ${name} is ${state}`, async t => {
    const folder = t.testdir({ 'flows.mjs': flows })
    const { exit } = await startUnread(folder, 'run', `flows.mjs:${name}`)
    writeFileSync(join(folder, 'go'), '')
    t.equal(await exit, code)
    t.equal(await stateOf(mintakaIn(folder)), state)
  })
}

test('a flow run whose terminal was closed goes on, and its tree is drawn for nobody', async t => {
  const folder = t.testdir({ 'flows.mjs': flows })
  const env = { ...outside(), TERM: 'xterm-256color', MINTAKA_HOME: join(folder, 'home') }
  const command = [process.execPath, bin, 'run', 'flows.mjs:stays']
  await new Promise<void>(resolve => {
    const { destroy } = inPseudoTerminal(command, { columns: 80, rows: 24, cwd: folder, env }, told => {
      if (!('data' in told) || !Buffer.from(told.data).includes('begun')) return
      destroy()
      resolve()
    })
    t.teardown(destroy)
  })
  await until(async () => existsSync(join(folder, 'left')))
  t.equal(readFileSync(join(folder, 'left'), 'utf8'), '0')
  t.equal(await stateOf(mintakaIn(folder)), 'Completed')
})

test('a command that only tells something ends quietly when nobody reads it any more', async t => {
  const folder = t.testdir({ 'flows.mjs': flows })
  const mintaka = mintakaIn(folder)
  const run = mintaka.start('run', 'flows.mjs:fails')
  await once(run.child.stdout, 'data')
  const [{ id }] = JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)
  const { exit } = await startUnread(folder, 'flow-run', 'watch', id)
  writeFileSync(join(folder, 'go'), '')
  t.equal((await run.ended).code, 1)
  t.equal(await exit, 0, 'and not 1, as it would be if it had looked on to the end')
})

if (existsSync('/dev/full')) {
  test('what a full disk does not take of what is printed is told, and the exit code is 1', async t => {
    const folder = t.testdir({ 'flows.mjs': flows, go: '' })
    for (const command of [['run', 'flows.mjs:talks'], ['flow-run', 'ls', '--json'], ['--help']]) {
      const { code, stderr } = await into('/dev/full', folder, [], ...command)
      t.equal(code, 1, command.join(' '))
      t.equal(stderr.match(/^error: What is printed cannot be written to stdout: ENOSPC/gm)?.length, 1, stderr)
    }
    t.equal(await stateOf(mintakaIn(folder)), 'Completed', 'the flow run did not notice')
  })
}

if (spawnSync('prlimit', ['--version']).status === 0) {
  test('what a disk has room for only in part is told too', async t => {
    const folder = t.testdir()
    const file = join(folder, 'help.txt')
    const { code, stderr } = await into(file, folder, ['prlimit', '--fsize=100:'], '--help')
    t.equal(code, 1)
    t.match(stderr, /^error: What is printed cannot be written to stdout: EFBIG/)
    t.equal(readFileSync(file, 'utf8').length, 100)
  })
}
