import { test } from 'tap'
import { aggregateMessage, notCompleted, rootFailure, rootOf } from '../../lib/core/aggregate.js'
import { MintakaError } from '../../lib/core/errors.js'
import { type State, states } from '../../lib/core/state.js'

const boom = new Error('boom')
const bang = new Error('bang')
const waited = (cause: unknown) => new MintakaError('UPSTREAM_NOT_COMPLETED', 'waited', { cause })

const completed = states.completed(0, 1)
const cached = states.cached(0, 1)
const failed = states.failed(0, boom)
const crashed = states.crashed(0, bang)
const cancelled = states.cancelled(0, new MintakaError('CANCELLED', 'stop'))
const notReady = (cause: unknown) => states.notReady(0, 'up', waited(cause))

const counted = (...all: State[]) => all.map((state, index) => ({ id: `${index}`, name: `run ${index}`, state }))

test('only COMPLETED counts as completed, Cached included', async t => {
  const runs = counted(completed, cached, failed, crashed, cancelled, notReady(boom), states.pending(0))
  t.strictSame(
    notCompleted(runs).map(({ id }) => id),
    ['2', '3', '4', '5', '6'],
  )
})

test('the sentence: how many failed, else how many are not final, else how many of each type', async t => {
  const rows: [State[], string][] = [
    [[failed], '1 of 1 run failed'],
    [[failed, completed], '1 of 2 runs failed'],
    [[failed, notReady(boom), crashed, failed], '2 of 4 runs failed'],
    [[notReady(boom)], '1 of 1 run is not final'],
    [[notReady(boom), completed, crashed], '1 of 3 runs are not final'],
    [[crashed, completed, cancelled, completed], '1 CRASHED, 2 COMPLETED, 1 CANCELLED'],
  ]
  for (const [all, sentence] of rows) t.equal(aggregateMessage(counted(...all)), sentence)
})

test('one failure is thrown as it is', async t => {
  t.equal(rootFailure(counted(completed, failed), 'm'), boom)
})

test('what waited for a failure adds none of its own', async t => {
  t.equal(rootFailure(counted(notReady(boom), failed, notReady(waited(boom))), 'm'), boom)
  t.equal(rootFailure(counted(notReady(boom)), 'm'), boom, 'the root counts though it is not among the runs')
})

test('the same error of several runs is one failure', async t => {
  t.equal(rootFailure(counted(failed, states.failed(1, boom)), 'm'), boom)
})

test('several failures make an AggregateError, in order', async t => {
  const error = rootFailure(counted(crashed, completed, failed, notReady(bang)), '2 of 4 runs failed')
  t.ok(error instanceof AggregateError)
  t.match(error, { message: '2 of 4 runs failed', errors: [bang, boom] })
  t.equal((error as AggregateError).errors.length, 2)
})

test('runs that are not final and hold no error make TASKS_FAILED', async t => {
  t.match(rootFailure(counted(states.pending(0)), '1 of 1 run is not final'), {
    code: 'TASKS_FAILED',
    message: '1 of 1 run is not final.',
  })
})

test('what was thrown may be anything, undefined too', async t => {
  t.equal(rootFailure(counted(states.failed(0, 'text')), 'm'), 'text')
  t.equal(rootFailure(counted(states.failed(0, undefined)), 'm'), undefined)
})

test('the root of an error is at the end of the chain of those who waited', async t => {
  t.equal(rootOf(waited(waited(boom))), boom)
  t.equal(rootOf(boom), boom)
  t.equal(rootOf('text'), 'text')
  const bare = new MintakaError('UPSTREAM_NOT_COMPLETED', 'nothing known')
  t.equal(rootOf(bare), bare)
})
