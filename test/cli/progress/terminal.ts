import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { atTerminal, type TerminalOptions } from '../fixtures/terminal.js'

const flows = `
  import { existsSync } from 'node:fs'
  import { flow, task, taskContext } from 'mintaka'

  const nap = ms => new Promise(resolve => setTimeout(resolve, ms))
  const load = task('load', async n => {
    if (n === 2) throw new Error('no row 2')
    console.log('loaded', n)
  })
  const wait = task('wait', async () => {
    const { progress, signal } = taskContext()
    progress(0.5, 'for you')
    while (!existsSync('go')) {
      signal.throwIfAborted()
      await nap(5)
    }
  })
  const rude = task('rude', () => nap(600_000))
  const region = flow('region', async n => { await load(n) })
  const crash = task('crash', async () => {
    process.stdout.write('no end')
    while (!existsSync('go')) await nap(5)
    setTimeout(() => { throw new Error('out of nowhere') })
    await nap(600_000)
  })

  const speak = task('speak', async n => {
    await nap(n % 7)
    for (const part of ['<', n, 'x'.repeat(n % 100), '写🚀'.repeat(n % 5), '>', '\\n']) process.stdout.write(String(part))
    console.error('\\x1b[33mwarned\\x1b[39m', n)
  })

  export const talks = flow('talks', async () => { await speak.map(Array.from({ length: 300 }, (_, n) => n)) })
  export const good = flow('good', async () => {
    await Promise.all([load(0), load(1), wait()])
    return { fine: true }
  })
  export const bad = flow('bad', async () => {
    const regions = [region(1), region(2), region(3)]
    await wait()
    await Promise.allSettled(regions)
    process.stdout.write('said at last')
  })
  export const hard = flow('hard', () => rude())
  export const crashes = flow('crashes', () => crash())
`

function run(t: Test, flow: string, options: TerminalOptions = {}) {
  const folder = t.testdir({ 'flows.mjs': flows })
  const terminal = atTerminal(t, folder, ['run', `flows.mjs:${flow}`], options)
  return Object.assign(terminal, { go: () => writeFileSync(join(folder, 'go'), '') })
}

const shows = (part: string | RegExp) => (screen: readonly string[]) =>
  screen.some(line => (typeof part === 'string' ? line.includes(part) : part.test(line)))

/** Without what differs from run to run: names, times, how wide the columns are. */
function usual(lines: readonly string[]): string[] {
  return lines.map(line =>
    line
      .replace(/\b(good|bad|hard|crashes|talks|region) [a-z]+(-[a-z]*)?…?/g, '$1 NAME')
      .replace(/\brun '[a-z]+-[a-z]+'/g, 'run NAME')
      .replace(/\b\d+(\.\d)? m?s\b/g, 'TIME')
      .replace(/^\d\d:\d\d:\d\d\.\d\d\d/, 'CLOCK')
      .replace(/-[\da-f]{8}-(\d)/, '-KEY-$1')
      .replace(/([█▒░])\1+/g, '$1')
      .replace(/(?<=\S) {2,}/g, '  '),
  )
}

test('a success leaves what was printed, the tree as it was in the end, and the result below it', async t => {
  const terminal = run(t, 'good')
  await terminal.until(screen => shows('50 %')(screen) && shows('2/2')(screen))
  t.match(usual(terminal.emulator.screen()), [
    'loaded 0',
    'loaded 1',
    /^\S good NAME {2}TIME$/,
    '    load  █  2/2',
    '    wait  ▒  0/1  1 running',
    '      wait-KEY-0  █░  50 %  for you',
  ])
  terminal.go()
  t.equal(await terminal.ended, 0)
  const expected = ['loaded 0', 'loaded 1', '✔ good NAME  TIME', '    load  █  2/2', '    wait  █  1/1']
  t.strictSame(usual(terminal.emulator.everything()), [...expected, '{', '  "fine": true', '}'])
  t.strictSame(terminal.emulator.cursor, { column: 0, row: 8 })
  t.notMatch(terminal.raw, '\u001b[?25l', 'the cursor was there all the time')
})

/** What stands below the line of the flow run `bad` at its end. */
const belowBad = [
  '    region  █  3/3  1 failed',
  '    ✔ region NAME  TIME',
  '    ✖ region NAME  Failed  TIME  no row 2',
  '        load  █  1/1  1 failed',
  '    ✔ region NAME  TIME',
  '    wait  █  1/1',
]

test('a failure leaves the tree, with what failed and why, and what was thrown below it', async t => {
  const terminal = run(t, 'bad', { env: { MINTAKA_LOG: 'silent' } })
  await terminal.until(shows('50 %'))
  terminal.go()
  t.equal(await terminal.ended, 1)
  t.strictSame(usual(terminal.emulator.everything()).slice(0, 11), [
    'loaded 1',
    'loaded 3',
    'said at last',
    '✖ bad NAME  Failed  TIME  1 of 4 runs failed',
    ...belowBad,
    'Error: no row 2',
  ])
})

test('what is printed stands above the tree, whole and once, however fast it comes', async t => {
  const terminal = run(t, 'talks', { columns: 60 })
  t.equal(await terminal.ended, 0)
  const [tree, bar, ...rest] = usual(terminal.emulator.everything()).slice(-2)
  t.strictSame([tree, bar, rest], ['✔ talks NAME  TIME', '    speak  █  300/300', []])
  const said = terminal.emulator.everything().slice(0, -2).join('')
  const timesOf = (part: string | RegExp) => said.split(part).length - 1
  const wrong = Array.from({ length: 300 }, (_, n) => n).filter(n => {
    const line = `<${n}${'x'.repeat(n % 100)}${'写🚀'.repeat(n % 5)}>`
    return timesOf(line) !== 1 || timesOf(new RegExp(`warned ${n}(?!\\d)`)) !== 1
  })
  t.strictSame(wrong, [])
  t.equal(
    said.length,
    Array.from({ length: 300 }, (_, n) => `<${n}>warned ${n}`.length + (n % 100) + 3 * (n % 5)).reduce((a, b) => a + b),
  )
})

test('Ctrl-C says that the run is cancelled and waits for it; what the terminal echoes is gone', async t => {
  const terminal = run(t, 'good', { env: { MINTAKA_LOG: 'silent' } })
  await terminal.until(shows('50 %'))
  terminal.type('\u0003')
  t.equal(await terminal.ended, 130)
  t.match(usual(terminal.emulator.everything()), [
    'loaded 0',
    'loaded 1',
    'Cancelling flow run NAME; Ctrl-C again ends it at once.',
    /^■ good NAME {2}Cancelled {2}TIME {2}Flow run/,
    '    load  █  2/2',
    '    wait  █  1/1  1 cancelled',
  ])
  t.strictSame(terminal.emulator.cursor, { column: 0, row: 6 })
})

test('a second Ctrl-C ends a run that does not stop, and the tree says how', async t => {
  const terminal = run(t, 'hard')
  await terminal.until(shows('1 running'))
  terminal.type('\u0003')
  await terminal.until(shows('Cancelling  '))
  await new Promise(resolve => setTimeout(resolve, 60)) // so soon after the first it would be the same key press
  terminal.type('\u0003')
  t.equal(await terminal.ended, 130)
  t.match(usual(terminal.emulator.everything()), [
    /^Cancelling flow run/,
    /^✖ hard NAME {2}Crashed {2}TIME/,
    '    rude  ▒  0/1  1 running',
  ])
  t.strictSame(terminal.emulator.cursor, { column: 0, row: 3 })
})

test('a terminal that changes its size shows the tree once, and no line twice', async t => {
  const terminal = run(t, 'bad', { env: { MINTAKA_LOG: 'silent' } })
  await terminal.until(shows('50 %'))
  for (const [columns, rows] of [
    [40, 24],
    [30, 24],
    [100, 24],
    [100, 5],
    [60, 24],
  ] as const) {
    terminal.resize(columns, rows)
    // The tree is whole again, in the new size, or as much of it as there is room for.
    await terminal.until(screen => {
      const { emulator } = terminal
      if (emulator.columns !== columns || emulator.rows !== rows) return false
      if (rows < 8) return screen.length === rows - 1 && shows(/^… and/)(screen.slice(-1))
      return screen.length === 10 && shows(/^ +wait-/)(screen.slice(-1)) && screen[0] === 'loaded 1'
    })
    t.equal(terminal.emulator.screen().filter(line => /^\S bad/.test(line)).length, 1, `${columns} x ${rows}`)
  }
  terminal.go()
  t.equal(await terminal.ended, 1)
  const lines = usual(terminal.emulator.screen())
  const end = lines.indexOf('said at last') + 1
  t.match(lines[end], /^✖ bad NAME {2}Failed {2}TIME/)
  t.strictSame(lines.slice(end + 1, end + 7), belowBad)
})

test('where the process dies of an error, that stands below the tree, and what was printed without an end above it', async t => {
  const terminal = run(t, 'crashes', { rows: 40 })
  await terminal.until(shows('no end'))
  await terminal.until(shows('1 running'))
  terminal.go()
  t.equal(await terminal.ended, 1)
  const lines = usual(terminal.emulator.everything())
  t.match(lines.slice(0, 3), ['no end', /^✖ crashes NAME {2}Crashed {2}TIME/, '    crash  ▒  0/1  1 running'])
  t.ok(shows(/^Error: out of nowhere/)(lines.slice(3)))
  t.notOk(shows(/crashes NAME/)(lines.slice(3)))
})

test('a process that is killed leaves the tree as it was, and the cursor below it', async t => {
  const terminal = run(t, 'good')
  await terminal.until(shows('50 %'))
  terminal.kill(9)
  t.equal(await terminal.ended, -9)
  t.equal(terminal.emulator.screen().length, 6)
  t.strictSame(terminal.emulator.cursor, { column: 0, row: 6 })
})

test('after a stop (Ctrl-Z) the tree is drawn anew, below what the shell wrote meanwhile', async t => {
  const terminal = run(t, 'good')
  await terminal.until(shows('50 %'))
  terminal.kill(19)
  await terminal.until(() => true)
  await terminal.emulator.write('[1]+  Stopped\r\n$ fg\r\n')
  terminal.kill(18)
  await terminal.until(screen => shows('50 %')(screen.slice(screen.indexOf('$ fg') + 1)))
  terminal.go()
  t.equal(await terminal.ended, 0)
  const lines = usual(terminal.emulator.everything())
  t.strictSame(lines.slice(lines.indexOf('$ fg') + 1), [
    '✔ good NAME  TIME',
    '    load  █  2/2',
    '    wait  █  1/1',
    '{',
    '  "fine": true',
    '}',
  ])
})

test('NO_COLOR leaves the colours out', async t => {
  const terminal = run(t, 'good', { env: { NO_COLOR: '1' } })
  await terminal.until(shows('50 %'))
  terminal.go()
  t.equal(await terminal.ended, 0)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what sets colours
  t.notMatch(terminal.raw, /\u001b\[[\d;]*m/)
})

test('TERM=dumb leaves the tree out: there are lines of a log', async t => {
  const terminal = run(t, 'good', { env: { TERM: 'dumb' } })
  terminal.go()
  t.equal(await terminal.ended, 0)
  t.notMatch(terminal.raw, '\u001b')
  const finished = /INFO .* Task run 'load-[\da-f]+-0' finished in state Completed/
  t.ok(finished.test(terminal.emulator.everything().join('')))
})
