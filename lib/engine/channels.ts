import { type Channel, channel } from 'node:diagnostics_channel'
import type { ExecutorStats } from '../core/executor-stats.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isSettled, type State } from '../core/state.js'

// What is published for tracing and metrics, on channels of the process. docs/TRACING.md describes them. Nothing is made
// for a channel that nobody listens to.

/** An attempt of a run has begun: `state` is RUNNING and knows which. `run` is the same object all its life. */
export interface RunStart {
  readonly run: Readonly<Run>
  readonly state: State
}

/** An attempt has ended, or the run has come to rest without one; before it, on the channel `error`, if it went wrong. */
export interface RunEnd extends RunStart {
  readonly error?: unknown
}

export interface SessionStats {
  readonly flowRun: Readonly<FlowRun>
  /** The name of the executor. */
  readonly executor: string
  readonly stats: ExecutorStats
}

const taskRun = channelsOf('task-run')
const flowRun = channelsOf('flow-run')
const stats = channel('mintaka:executor:stats')

function channelsOf(kind: TaskRun['kind'] | FlowRun['kind']): { start: Channel; error: Channel; end: Channel } {
  const name = (what: string) => channel(`mintaka:${kind}:${what}`)
  return { start: name('start'), error: name('error'), end: name('end') }
}

/** A run has changed its state. */
export function publishChange(run: Run, from: State, to: State): void {
  const { start, error, end } = run.kind === 'task-run' ? taskRun : flowRun
  if (to.type === 'RUNNING') {
    if (start.hasSubscribers && to.name !== 'Cancelling') start.publish({ run, state: to } satisfies RunStart)
    return
  }
  if (!(end.hasSubscribers || error.hasSubscribers) || !(from.type === 'RUNNING' || isSettled(to))) return
  const message: RunEnd = 'error' in to ? { run, state: to, error: to.error } : { run, state: to }
  if ('error' in to) error.publish(message)
  end.publish(message)
}

/** A session is about to be closed. */
export function publishStats(message: SessionStats): void {
  if (stats.hasSubscribers) stats.publish(message)
}
