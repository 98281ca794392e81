import { stripVTControlCharacters } from 'node:util'
import colors from 'picocolors'
import stringWidth from 'string-width'
import { test } from 'tap'
import type { Board } from '../../../lib/cli/progress/board.js'
import { layOut } from '../../../lib/cli/progress/layout.js'
import { states } from '../../../lib/core/state.js'
import { Told } from './fixtures/told.js'

const palette = colors.createColors(true)
const running = states.running(0, 1)
const error = new Error('no row 7')
const done = (at = 1) => states.completed(at, undefined)
const failed = states.failed(1, error)

const textOf = (board: Board, columns = 80, rows = 24, now = 1500) =>
  layOut(board, { columns, rows }, now, palette).map(({ text }) => stripVTControlCharacters(text))

test('under each flow run, a bar by task name shows the share of each state', async t => {
  const told = new Told().flow('a', running)
  for (const to of [done(), failed, running]) told.task('a', 'load', to)
  told.task('a', 'load')
  t.strictSame(textOf(told.board), [
    '⠴ a a-run  1.5 s  1 failed',
    '    load   █████████▒▒▒▒▒░░░░  2/4  1 failed  1 running',
  ])
})

test('what is cached, was tried again, was cancelled or could not begin is told by its number', async t => {
  const told = new Told().flow('a', running)
  told.task('a', 'load', states.cached(1, 5))
  told.task('a', 'load', running, states.awaitingRetry(1, 2, 1, error), states.running(2, 2), done(3))
  told.task('a', 'save', states.notReady(1, 'x', error))
  told.task('a', 'save', running, states.cancelled(1, error))
  told.task('a', 'send', running, states.crashed(1, error))
  t.match(
    textOf(told.board, 100).join('\n'),
    /load .* 2\/2 {2}1 cached {2}1 retry\n.*save .* 2\/2 {2}1 cancelled {2}1 not ready\n.*send .* 1\/1 {2}1 crashed/,
  )
})

test('subflows stand below their parents; many calls of one have a bar of their own', async t => {
  const told = new Told().flow('a', running)
  told.task('a', 'once', running)
  told.flow('once', running, { parent: 'a' })
  told.task('once', 'load', running)
  for (const id of ['b1', 'b2', 'b3']) {
    told.task('a', 'b', id === 'b2' ? done() : running)
    told.flow(id, id === 'b2' ? done() : running, { parent: 'a', flowName: 'b' })
  }
  told.flow('other', running)
  t.strictSame(
    textOf(told.board)
      .map(line => line.trimEnd().replace(/ {2}.*/s, match => (match.trim() === '' ? '' : match)))
      .map(line => /^ *(\S )?\S+( \S+-run)?/.exec(line)?.[0]),
    [
      '⠴ a a-run',
      '  ⠴ once once-run',
      '      load',
      '    b',
      '    ⠴ b b1-run',
      '    ✔ b b2-run',
      '    ⠴ b b3-run',
      '⠴ other other-run',
    ],
  )
})

test('of many calls of one subflow, those that have completed are told by their number', async t => {
  const told = new Told().flow('a', running)
  for (let index = 0; index < 500; index++) {
    const state = index === 7 ? failed : index < 480 ? done() : running
    told.task('a', 'b', state)
    told
      .flow(`b${index}`, running, { parent: 'a', flowName: 'b' })
      .flow(`b${index}`, state, { parent: 'a', flowName: 'b' })
  }
  const lines = textOf(told.board, 80, 12)
  t.equal(lines.length, 12)
  t.match(lines[1], /b .* 480\/500 {2}1 failed {2}20 running/)
  t.match(lines[2], /✖ b b7-run +Failed {2}1 ms {2}no row 7/, 'what has failed comes before what runs, in its place')
  t.match(lines[3], /b b480-run/)
  t.equal(lines.at(-1), '… and 12 more flow runs (12 running)')
})

test('where there are more runs than lines, those that have ended make room, and failures leave some to what runs', async t => {
  const told = new Told()
  for (let index = 0; index < 30; index++) {
    told.flow('a', running)
    const state = index < 10 ? done() : index < 20 ? failed : running
    told.flow(`f${index}`, state, { parent: 'a' })
  }
  const lines = textOf(told.board, 80, 10)
  t.equal(lines.length, 10)
  t.equal(lines.filter(line => line.includes('✖')).length, 3)
  t.equal(lines.filter(line => line.includes('⠴')).length, 6)
  t.equal(lines.at(-1), '… and 22 more flow runs (5 running, 7 failed, 10 ended)')
})

test('a running task says how far it is, until its attempt has ended', async t => {
  const told = new Told().flow('a', running)
  const run = told.task('a', 'load', running)
  told.board.taskProgress(run, 0.5, 'part 2\nof 4')
  t.match(textOf(told.board).at(-1), /^ {6}load-a-0 {2}█{8}░{9} {3}50 % {2}part 2 of 4$/)
  told.board.taskProgress(run, Number.NaN, undefined)
  t.match(textOf(told.board).at(-1), /░{17} {4}0 %$/)
  told.board.taskRun(run, running, states.awaitingRetry(1, 2, 1, error), 1)
  t.equal(textOf(told.board).length, 2)
  told.board.taskProgress({ ...run, state: done() }, 0.9, 'too late')
  t.equal(textOf(told.board).length, 2)
})

test('no line is wider than the terminal, none is cut in the middle of a character', async t => {
  const wide = '写🚀👩‍💻🇩🇪é\u202e\t\u001b[31mred'
  const told = new Told()
  told.board.flowRun({ id: 'a', name: wide, flowName: wide.repeat(4), parentFlowRunId: undefined, state: running })
  told.board.taskProgress(told.task('a', wide.repeat(3), running), 0.3, wide.repeat(20))
  for (let index = 0; index < 9; index++) told.task('a', `task ${index}`, failed)
  for (let columns = 1; columns < 100; columns += 3) {
    for (const line of layOut(told.board, { columns, rows: 30 }, 1500, palette)) {
      t.ok(line.columns < columns || columns === 1, `${line.columns} of ${columns}`)
      t.equal(stringWidth(line.text), line.columns)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing of a user's moves the cursor or turns the text
      t.notMatch(line.text.replace(/\u001b\[\d+m/g, ''), /[\u0000-\u001f\u202e\ud83c]/)
    }
  }
  t.strictSame(layOut(told.board, { columns: 80, rows: 0 }, 1500, palette), [])
})

test('the rate is that of the last seconds; a time is told only if no more calls are made', async t => {
  const told = new Told().flow('a', running)
  const rateAt = (now: number) =>
    /(?:\S+\/(?:s|min)(?: {2}~.* left)?)?$/.exec(textOf(told.board, 100, 24, now)[1]!)?.[0]
  told.tally('a', 'load', { waiting: 1000 }, 0).tally('a', 'load', { waiting: 992, running: 8 }, 0)
  t.equal(rateAt(2000), '', 'nothing is known yet')
  for (let second = 1; second <= 20; second++)
    told.tally('a', 'load', { waiting: 1000 - second * 40, completed: second * 40 }, second * 1000 - 500)
  t.equal(rateAt(20_000), '40/s  ~5 s left')
  told.tally('a', 'load', { waiting: 400, completed: 800 }, 20_000)
  t.equal(rateAt(20_000), '40/s', 'there are more calls than before')
  t.equal(rateAt(27_000), '12/s', 'whoever made calls for so long may make more')
  t.equal(rateAt(31_000), '', 'it has come to a halt')
  told.tally('a', 'load', { completed: 1200 }, 32_000)
  t.equal(rateAt(32_000), '')
})

test('names beyond counting are counted together', async t => {
  const told = new Told().flow('a', running)
  for (let index = 0; index < 1000; index++) told.task('a', `task ${index}`, done())
  t.equal(textOf(told.board, 80, 10).length, 10)
  t.equal(textOf(told.board, 80, 10).at(-1), '… and 193 more tasks')
  t.match(textOf(told.board, 80, 1000).at(-1), /other tasks .* 800\/800/)
})
