import { test } from 'tap'
import { MintakaError } from '../../lib/core/errors.js'
import {
  isPlain,
  onlyLegalTransitions,
  policy,
  propose,
  type Rule,
  retryFailures,
  type Transition,
  takeFromCache,
  terminalIsTerminal,
  type Verdict,
  waitForScheduledTime,
} from '../../lib/core/rules.js'
import type { FlowRun } from '../../lib/core/run.js'
import { type State, states } from '../../lib/core/state.js'

const now = 1000
const error = new Error('boom')

function transition(
  from: State,
  to: State,
  more: Partial<Transition> & { readonly runCount?: number } = {},
): Transition {
  const { runCount = 1, ...rest } = more
  const run: FlowRun = {
    kind: 'flow-run',
    id: 'r',
    name: 'calm-run',
    flowName: 'f',
    executor: 'sequential',
    created: 0,
    tags: [],
    state: from,
    totalRunTimeMs: 0,
    runCount,
  }
  return { run, from, to, now, ...rest }
}

const pending = states.pending(0)
const running = states.running(0, 1)
const cancelling = states.cancelling(0, 1)
const scheduled = states.scheduled(0, now + 500)
const due = states.scheduled(0, now)
const awaiting = states.awaitingRetry(0, now + 500, 1, error)
const completed = states.completed(0, 'value')
const failed = states.failed(0, error)
const timedOut = states.timedOut(0, error)
const crashed = states.crashed(0, error)
const cancelled = states.cancelled(0, error)
const cached = states.cached(0, 'kept', 'run-0')

const verdictOf = (rule: Rule, asked: Transition) => {
  const verdict = rule.decide?.(asked)
  return verdict === undefined ? 'no business of this rule' : verdict.type
}
const none = 'no business of this rule'

test('terminal-is-terminal: whatever has ended stays as it is', async t => {
  for (const from of [completed, cached, failed, timedOut, crashed, cancelled]) {
    for (const to of [scheduled, pending, running, completed, failed, crashed, cancelled]) {
      t.equal(verdictOf(terminalIsTerminal, transition(from, to)), 'ABORT', `${from.name} → ${to.name}`)
    }
  }
  for (const from of [scheduled, awaiting, pending, running, cancelling]) {
    t.equal(verdictOf(terminalIsTerminal, transition(from, completed)), none, from.name)
  }
})

test('only-legal-transitions: what the table does not allow is aborted', async t => {
  const rows: [State, State, string][] = [
    [pending, running, none],
    [pending, cached, none],
    [running, awaiting, none],
    [running, cancelling, none],
    [running, pending, 'ABORT'],
    [completed, running, 'ABORT'],
  ]
  for (const [from, to, verdict] of rows) {
    t.equal(verdictOf(onlyLegalTransitions, transition(from, to)), verdict, `${from.name} → ${to.name}`)
  }
})

test('wait-for-scheduled-time: only on the way to RUNNING, so that a waiting run can be cancelled', async t => {
  const rows: [State, State, Verdict | undefined][] = [
    [scheduled, running, { type: 'WAIT', until: now + 500, reason: 'its time has not come' }],
    [awaiting, running, { type: 'WAIT', until: now + 500, reason: 'its time has not come' }],
    [due, running, undefined],
    [scheduled, cancelled, undefined],
    [awaiting, cancelled, undefined],
    [scheduled, pending, undefined],
    [pending, running, undefined],
  ]
  for (const [from, to, verdict] of rows) {
    t.strictSame(waitForScheduledTime.decide?.(transition(from, to)), verdict, `${from.name} → ${to.name}`)
  }
})

test('take-from-cache: a hit ends the run before it starts; a retry is not given one', async t => {
  const hit = takeFromCache.decide?.(transition(pending, running, { cached, runCount: 0 }))
  t.match(hit, {
    type: 'REJECT',
    state: { type: 'COMPLETED', name: 'Cached', result: 'kept', cachedFrom: 'run-0', timestamp: now },
  })
  t.equal(verdictOf(takeFromCache, transition(pending, running, { runCount: 0 })), none, 'nothing is cached')
  t.equal(verdictOf(takeFromCache, transition(awaiting, running, { cached, runCount: 1 })), none, 'a retry')
  t.equal(verdictOf(takeFromCache, transition(pending, cancelled, { cached, runCount: 0 })), none, 'not to RUNNING')
})

test('retry-failures: FAILED and CRASHED while attempts are left, from RUNNING and nothing else', async t => {
  const retry = { retries: 2, retryDelayMs: [10, 20] }
  const rows: [State, State, number, string][] = [
    [running, failed, 1, 'REJECT'],
    [running, timedOut, 2, 'REJECT'],
    [running, crashed, 2, 'REJECT'],
    [running, failed, 3, none],
    [running, completed, 1, none],
    [running, cancelled, 1, none],
    [cancelling, failed, 1, none],
    [pending, failed, 1, none],
  ]
  for (const [from, to, runCount, verdict] of rows) {
    const name = `${from.name} → ${to.name} in attempt ${runCount}`
    t.equal(verdictOf(retryFailures, transition(from, to, { retry, runCount })), verdict, name)
  }
  t.equal(verdictOf(retryFailures, transition(running, failed)), none, 'no policy, no retry')
  const second = retryFailures.decide?.(transition(running, failed, { retry, runCount: 2 }))
  t.match(second, {
    state: { type: 'SCHEDULED', name: 'AwaitingRetry', scheduledTime: now + 20, attempt: 2, error, message: 'boom' },
  })
})

test('the policy of every engine has these rules, in this order', async t => {
  t.strictSame(
    policy.map(({ name }) => name),
    ['terminal-is-terminal', 'only-legal-transitions', 'wait-for-scheduled-time', 'take-from-cache', 'retry-failures'],
  )
})

test('propose: what nobody objects to is accepted', async t => {
  t.strictSame(propose(policy, transition(pending, running)), { type: 'ACCEPT' })
  t.strictSame(propose([], transition(completed, running)), { type: 'ACCEPT' })
  const says: Rule = { name: 'says so', decide: () => ({ type: 'ACCEPT' }) }
  t.strictSame(propose([says], transition(pending, running)), { type: 'ACCEPT' })
})

test('propose: a REJECT changes what the later rules are asked about, and the last one holds', async t => {
  const asked: string[] = []
  const watch = (name: string, verdict?: Verdict): Rule => ({
    name,
    decide: ({ to }) => {
      asked.push(`${name}: ${to.name}`)
      return verdict
    },
  })
  const verdict = propose(
    [
      watch('first', { type: 'REJECT', state: failed }),
      watch('second'),
      watch('third', { type: 'REJECT', state: cancelled }),
      watch('fourth', { type: 'ACCEPT' }),
    ],
    transition(running, completed),
  )
  t.strictSame(asked, ['first: Completed', 'second: Failed', 'third: Failed', 'fourth: Cancelled'])
  t.strictSame(verdict, { type: 'REJECT', state: cancelled })
})

test('propose: the first WAIT or ABORT ends the questions', async t => {
  const never: Rule = { name: 'never asked', decide: () => t.fail('asked') as never }
  const later: Verdict = { type: 'WAIT', until: now + 1 }
  const no: Verdict = { type: 'ABORT', reason: 'no' }
  const reject: Rule = { name: 'reject', decide: () => ({ type: 'REJECT', state: failed }) }
  t.strictSame(propose([{ name: 'later', decide: () => later }, never], transition(pending, running)), later)
  t.strictSame(propose([reject, { name: 'no', decide: () => no }, never], transition(running, completed)), no)
})

test('propose: a WAIT until a time that is no time to wait for still lets time pass', async t => {
  for (const until of [now, now - 1, 0, Number.NaN]) {
    const rule: Rule = { name: 'again', decide: () => ({ type: 'WAIT', until }) }
    t.match(propose([rule], transition(pending, running)), { type: 'WAIT', until: now + 1 }, String(until))
  }
})

test('propose: a rule that throws is named, with what it threw as the cause', async t => {
  const rule: Rule = {
    name: 'bad',
    decide: () => {
      throw error
    },
  }
  t.throws(() => propose([rule], transition(pending, running)), {
    code: 'RULE_FAILED',
    message: "The rule 'bad' threw when 'calm-run' was to become Running. A rule decides; it should not throw.",
    cause: error,
  })
})

test('propose: a verdict that would leave the run nowhere is the failure of its rule', async t => {
  const rows: [State, State, unknown][] = [
    [pending, running, { type: 'REJECT', state: pending }],
    [running, completed, { type: 'REJECT', state: running }],
    [running, completed, { type: 'REJECT', state: states.notReady(0, 'up', error) }],
    [running, completed, { type: 'REJECT', state: { ...failed } }],
    [running, completed, { type: 'REJECT' }],
    [running, completed, { type: 'MAYBE' }],
  ]
  for (const [from, to, verdict] of rows) {
    const rule: Rule = { name: 'lost', decide: () => verdict as Verdict }
    t.throws(() => propose([rule], transition(from, to)), {
      code: 'RULE_FAILED',
      rule: 'lost',
      message: /^The verdict of the rule 'lost' on 'calm-run', .* cannot be used\. Give ACCEPT, /,
    })
  }
  for (const state of [failed, cancelled, awaiting, due]) {
    t.match(propose([{ name: 'r', decide: () => ({ type: 'REJECT', state }) }], transition(running, completed)), {
      state,
    })
  }
})

test('propose: a rule without a verdict only listens', async t => {
  t.strictSame(propose([{ name: 'hook', after: () => {} }], transition(pending, running)), { type: 'ACCEPT' })
})

test('a retryIf or a retry delay that throws ends the run with what it threw', async t => {
  const thrown = new TypeError('no such field')
  const throws = () => {
    throw thrown
  }
  for (const retry of [
    { retries: 3, retryDelayMs: 0, retryIf: throws },
    { retries: 3, retryDelayMs: throws },
  ]) {
    const verdict = propose(policy, transition(states.running(0, 1), states.failed(now, error), { retry }))
    t.match(verdict, { type: 'REJECT', state: { type: 'FAILED', error: thrown } })
  }
})

test('code that cannot be sent is not tried again', async t => {
  const refusal = new MintakaError('CAPTURES_LOCAL', 'it uses k')
  const retry = { retries: 3, retryDelayMs: 0 }
  t.strictSame(propose(policy, transition(states.running(0, 1), states.failed(now, refusal), { retry })), {
    type: 'ACCEPT',
  })
})

test('a plain change is one that the policy accepts, whatever else is known', async t => {
  const policies = [undefined, { retries: 3, retryDelayMs: 0 }]
  const all = [
    scheduled,
    due,
    awaiting,
    pending,
    running,
    cancelling,
    completed,
    cached,
    failed,
    timedOut,
    crashed,
    cancelled,
  ]
  let plain = 0
  for (const from of all) {
    for (const to of all) {
      if (!isPlain(from.type, to.type)) continue
      plain += 1
      for (const retry of policies) {
        for (const runCount of [0, 1]) {
          t.equal(
            propose(policy, transition(from, to, { retry, runCount })).type,
            'ACCEPT',
            `${from.name} → ${to.name}`,
          )
        }
      }
    }
  }
  t.ok(plain >= 2)
})
