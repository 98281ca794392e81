import { test } from 'tap'
import { Program } from '../../../lib/dask/clusters/program.js'

const node = (script: string, options = {}) => new Program(process.execPath, ['-e', script], options)

test('a program ends when its stdin does', async t => {
  const program = node("process.stdin.resume().on('end', () => process.exit(7))")
  await program.end(60_000)
  t.strictSame(await program.ended, { code: 7, how: 'ended with code 7' })
})

test('one that does not is killed', async t => {
  const ready = await new Promise<Program>(resolve => {
    const program = node("setInterval(() => {}, 1000); console.log('ready')", { onAnswer: () => resolve(program) })
  })
  await ready.end(10)
  t.strictSame(await ready.ended, { code: null, how: 'was ended by SIGKILL' })
})

test('what it said last is known when it has ended', async t => {
  const program = node("console.error('one'); console.log('two'); process.exitCode = 1")
  t.match(await program.ended, { code: 1 })
  t.strictSame(program.lastWords.split('\n').sort(), ['one', 'two'])
})

test('answers are not what it says', async t => {
  const answers: string[] = []
  const program = node(
    "console.error('said'); process.stdin.once('data', d => { console.log('got ' + d); process.exit() })",
    {
      onAnswer: (line: string) => answers.push(line),
    },
  )
  program.tell('this')
  await program.ended
  t.strictSame(answers, ['got this', ''])
  t.equal(program.lastWords, 'said')
})

test('a program that is not there has ended', async t => {
  const program = new Program('/nowhere/at/all', [])
  t.match(await program.ended, { code: null, how: /could not be started: .*ENOENT/ })
  program.tell('nobody hears this')
  await program.end(0)
})

test('what a program leaves behind is not waited for', async t => {
  const program = node(`
    require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 3000)'], { stdio: 'inherit', detached: true }).unref()
    process.exit(3)
  `)
  const begin = performance.now()
  t.match(await program.ended, { code: 3 })
  t.ok(performance.now() - begin < 2900)
})

test('it is not loaded with what this process was, nor inspected by its port', async t => {
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] = '--import ./no-such-file.mjs --inspect=0 --max-old-space-size=100'
  t.teardown(() => {
    if (before === undefined) delete process.env['NODE_OPTIONS']
    else process.env['NODE_OPTIONS'] = before
  })
  const program = node('console.log(process.env.NODE_OPTIONS)')
  await program.ended
  t.match(program.lastWords, '--max-old-space-size=100')
  t.notMatch(program.lastWords, /no-such-file|--inspect/)
})
