import { test } from 'tap'
import { isSettled, isState, isTerminal, messageOf, reviveState, type State, states } from '../../lib/core/state.js'

const error = new Error('boom')
const all: Record<string, State> = {
  Scheduled: states.scheduled(1, 5),
  Late: states.late(1, 5),
  AwaitingRetry: states.awaitingRetry(1, 5, 2, error),
  Pending: states.pending(1),
  NotReady: states.notReady(1, 'up', error, 'waits'),
  Running: states.running(1, 1),
  Retrying: states.running(1, 2),
  Cancelling: states.cancelling(1, 1, 'stop'),
  Completed: states.completed(1, 'value'),
  Cached: states.cached(1, 'value', 'run-0'),
  Failed: states.failed(1, error),
  TimedOut: states.timedOut(1, error),
  Crashed: states.crashed(1, error),
  Cancelled: states.cancelled(1, error),
}

test('every name belongs to one type', async t => {
  const types = Object.fromEntries(Object.entries(all).map(([name, state]) => [name, [state.name, state.type]]))
  t.strictSame(types, {
    Scheduled: ['Scheduled', 'SCHEDULED'],
    Late: ['Late', 'SCHEDULED'],
    AwaitingRetry: ['AwaitingRetry', 'SCHEDULED'],
    Pending: ['Pending', 'PENDING'],
    NotReady: ['NotReady', 'PENDING'],
    Running: ['Running', 'RUNNING'],
    Retrying: ['Retrying', 'RUNNING'],
    Cancelling: ['Cancelling', 'RUNNING'],
    Completed: ['Completed', 'COMPLETED'],
    Cached: ['Cached', 'COMPLETED'],
    Failed: ['Failed', 'FAILED'],
    TimedOut: ['TimedOut', 'FAILED'],
    Crashed: ['Crashed', 'CRASHED'],
    Cancelled: ['Cancelled', 'CANCELLED'],
  })
})

test('terminal states end a run; NotReady is settled, though not terminal', async t => {
  const terminal = ['Completed', 'Cached', 'Failed', 'TimedOut', 'Crashed', 'Cancelled']
  for (const [name, state] of Object.entries(all)) {
    t.equal(isTerminal(state), terminal.includes(name), name)
    t.equal(isSettled(state), terminal.includes(name) || name === 'NotReady', name)
  }
})

test('a state holds what it needs, and the message of its error', async t => {
  t.match(all['AwaitingRetry'], { scheduledTime: 5, attempt: 2, error, message: 'boom' })
  t.match(all['NotReady'], { upstreamId: 'up', error, message: 'waits' })
  t.match(all['Retrying'], { attempt: 2 })
  t.match(all['Cached'], { result: 'value', cachedFrom: 'run-0' })
  for (const name of ['Failed', 'TimedOut', 'Crashed', 'Cancelled']) t.match(all[name], { error, message: 'boom' })
  t.equal(states.failed(1, error, 'mine').message, 'mine')
})

test('a look-alike is data', async t => {
  t.ok(isState(all['Completed']))
  t.notOk(isState({ ...all['Completed'] }))
  for (const value of [null, undefined, 1, 'COMPLETED', { type: 'COMPLETED', name: 'Completed' }])
    t.notOk(isState(value))
})

test('a state that was taken apart can be put together again', async t => {
  for (const [name, state] of Object.entries(all)) {
    const again = reviveState({ ...state })
    t.ok(isState(again))
    t.strictSame({ ...again }, { ...state }, name)
  }
})

test('runs that enter the same state at the same time may share it, others may not', async t => {
  t.not(states.pending(1), states.pending(2))
  t.not(states.running(1, 1), states.running(1, 2))
  t.equal(states.pending(7).timestamp, 7)
  t.equal(states.running(7, 3).attempt, 3)
  t.equal(states.running(7, 1).name, 'Running')
})

test('whatever was thrown has a message', async t => {
  t.equal(messageOf(error), 'boom')
  t.equal(messageOf('text'), 'text')
  t.equal(messageOf({ message: 5 }), '5')
  t.equal(messageOf(null), 'null')
  t.equal(messageOf(undefined), undefined)
})
