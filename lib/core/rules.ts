import { type ErrorCode, isMintakaError, MintakaError } from './errors.js'
import { delayAfter, mayRetry, type RetryPolicy } from './retry.js'
import type { Run } from './run.js'
import { type Completed, isSettled, isState, isTerminal, type State, type StateType, states } from './state.js'
import { mayFollow } from './transitions.js'

/** A change of state that somebody wants: what every rule is asked about. */
export interface Transition {
  /** The run, as it is before the transition. */
  readonly run: Readonly<Run>
  /** Where it stands. */
  readonly from: State
  /** What it is to enter; of rules that come later, what an earlier one made of it. */
  readonly to: State
  /** Epoch milliseconds. */
  readonly now: number
  /** How often and when the run may be tried again. */
  readonly retry?: RetryPolicy | undefined
  /** The cached state under the run's cache key, if there is one that has not expired. */
  readonly cached?: Completed | undefined
}

/**
 * What a rule says, in Orion's words. `ACCEPT`: written as proposed. `REJECT`: another state is written, and the
 * proposer adopts it. `WAIT`: nothing is written, propose again at `until` (epoch milliseconds). `ABORT`: nothing is
 * written, and the run goes no further.
 */
export type Verdict =
  | { readonly type: 'ACCEPT' }
  | { readonly type: 'REJECT'; readonly state: State; readonly reason?: string }
  | { readonly type: 'WAIT'; readonly until: number; readonly reason?: string }
  | { readonly type: 'ABORT'; readonly reason: string }

/** A rule of orchestration: pure. It reads no clock and touches no store; all it knows is the transition. */
export interface Rule {
  /** For sentences about it. */
  readonly name: string
  /** Its verdict, or nothing if the transition is not its business. */
  readonly decide?: (transition: Transition) => Verdict | undefined
  /** Told after a transition was written: for hooks. What it throws is logged and changes nothing. */
  readonly after?: (transition: Transition) => void
}

export const accept: Verdict = { type: 'ACCEPT' }

/** A terminal state never changes. */
export const terminalIsTerminal: Rule = {
  name: 'terminal-is-terminal',
  decide: ({ from, to }) =>
    isTerminal(from)
      ? { type: 'ABORT', reason: `the run has ended ${from.name} and cannot become ${to.name}` }
      : undefined,
}

/** Only what the transition table allows. */
export const onlyLegalTransitions: Rule = {
  name: 'only-legal-transitions',
  decide: ({ from, to }) =>
    mayFollow(from.type, to.type) ? undefined : { type: 'ABORT', reason: `${to.type} may not follow ${from.type}` },
}

/** A scheduled run waits for its time on the way to RUNNING, and only there: it can be cancelled while it waits. */
export const waitForScheduledTime: Rule = {
  name: 'wait-for-scheduled-time',
  decide: ({ from, to, now }) =>
    from.type === 'SCHEDULED' && to.type === 'RUNNING' && from.scheduledTime > now
      ? { type: 'WAIT', until: from.scheduledTime, reason: 'its time has not come' }
      : undefined,
}

/** A cached result ends the run before it starts. A retry asks no second time. */
export const takeFromCache: Rule = {
  name: 'take-from-cache',
  decide: ({ to, now, cached, run }) =>
    to.type === 'RUNNING' && cached && run.runCount === 0
      ? { type: 'REJECT', state: states.cached(now, cached.result, cached.cachedFrom), reason: 'its result is cached' }
      : undefined,
}

// The code itself cannot be sent, or what it needs is not there: it will not be otherwise the next time.
const neverRetried: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CAPTURES_LOCAL',
  'CAPTURES_THIS',
  'STALE_VARIABLE',
  'UNKNOWN_GLOBAL',
  'NOT_LOCATED',
  'DUPLICATE_NAME',
  'NO_FILE',
  'SOURCE_CHANGED',
  'BUILD',
  'INVALID_PARAMETERS',
  'RESOURCES_UNAVAILABLE',
])

/**
 * A run that failed or crashed is tried again while its policy allows; what will fail for the same reason every time is
 * not.
 */
export const retryFailures: Rule = {
  name: 'retry-failures',
  decide: ({ from, to, now, retry, run }) => {
    if (!retry || from.type !== 'RUNNING' || from.name === 'Cancelling') return undefined
    if (to.type !== 'FAILED' && to.type !== 'CRASHED') return undefined
    if (isMintakaError(to.error) && neverRetried.has(to.error.code)) return undefined
    try {
      if (!mayRetry(retry, run.runCount, to.error)) return undefined
      const at = now + delayAfter(retry.retryDelayMs, run.runCount, to.error)
      const state = states.awaitingRetry(now, at, run.runCount, to.error)
      return { type: 'REJECT', state, reason: 'it will be tried again' }
    } catch (thrown) {
      return { type: 'REJECT', state: states.failed(now, thrown), reason: 'its retryIf or retryDelayMs threw' }
    }
  },
}

/** The rules of every engine, in order; the user's come after them. */
export const policy: readonly Rule[] = [
  terminalIsTerminal,
  onlyLegalTransitions,
  waitForScheduledTime,
  takeFromCache,
  retryFailures,
]

/**
 * Whether {@link policy} accepts a change for what it is, whatever else is known: the two that nearly every task run goes
 * through, when no cached result is there. To ask each rule about them, a hundred thousand times, would be felt.
 */
export function isPlain(from: StateType, to: StateType): boolean {
  return (from === 'PENDING' && to === 'RUNNING') || (from === 'RUNNING' && to === 'COMPLETED')
}

/**
 * Asks the rules in order. A REJECT changes what the later rules are asked about; the first WAIT or ABORT ends it. A
 * WAIT lets a millisecond pass at least: a rule that says it again and again must not hold the process. Pure, unless a
 * user's rule is not.
 */
export function propose(rules: readonly Rule[], transition: Transition): Verdict {
  let verdict = accept
  let asked = transition
  for (const rule of rules) {
    const answer = ask(rule, asked)
    if (answer === undefined || answer.type === 'ACCEPT') continue
    if (answer.type === 'WAIT') return { ...answer, until: answer.until > asked.now ? answer.until : asked.now + 1 }
    if (answer.type === 'ABORT') return answer
    if (!mayRestIn(answer.state, asked.from)) throw unusable(rule, asked)
    verdict = answer
    asked = { ...asked, to: answer.state }
  }
  return verdict
}

function ask(rule: Rule, transition: Transition): Verdict | undefined {
  try {
    return rule.decide?.(transition)
  } catch (cause) {
    const what = `The rule '${rule.name}' threw when '${transition.run.name}' was to become ${transition.to.name}`
    throw new MintakaError('RULE_FAILED', `${what}. A rule decides; it should not throw.`, { cause, rule: rule.name })
  }
}

/** Whether a run can be left in the state of a REJECT: it is settled in it, or tried again at its time. */
function mayRestIn(state: State, from: State): boolean {
  return isState(state) && mayFollow(from.type, state.type) && (isSettled(state) || state.type === 'SCHEDULED')
}

function unusable(rule: Rule, { run, from, to }: Transition): MintakaError {
  const what = `The verdict of the rule '${rule.name}' on '${run.name}', ${from.name} to ${to.name}, cannot be used`
  const fix = 'Give ACCEPT, WAIT, ABORT, or REJECT with a state that may follow and in which a run can rest.'
  return new MintakaError('RULE_FAILED', `${what}. ${fix}`, { rule: rule.name })
}
