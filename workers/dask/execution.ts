import type { CallPayload, DataPayload } from '../../lib/dask/payload.js'
import { encodeValue } from '../../lib/dask/values/encode.js'
import { type EncodedError, encodeError } from '../../lib/dask/values/errors.js'
import type { Times } from '../../lib/threads/job.js'
import { fromWire } from '../../lib/values/wire.js'
import { type CallEnd, type CallSurroundings, DaskCall } from './calls.js'
import type { Spec } from './run-spec.js'
import type { FromRun } from './stimulus.js'
import type { Stored } from './store.js'
import { bundleStored, resultStored } from './stored-values.js'

/** The result of a run: what is kept, and what JavaScript makes of it. */
export interface Result {
  readonly stored: Stored
  readonly value?: unknown
}

/** Why a run has no result, and when it ran. */
export interface Failed {
  readonly error: EncodedError
  readonly computed: Computed | undefined
}

export type Computed = NonNullable<Stored['computed']>

/** How a run ended, for the machine. */
export type RunEnd = FromRun<Result, Failed>

interface Running {
  readonly key: string
  readonly call: DaskCall
  readonly thread: number
  readonly startedAt: number
}

/** Carries runs out: calls of a user's function on threads, all else at once. */
export class Execution {
  private readonly around: CallSurroundings
  private readonly onEnded: (end: RunEnd) => void
  private readonly running = new Map<number, Running>()
  /** Numbers of threads for people who look at a dashboard: the lowest that is free. */
  private readonly threads = new Set<number>()
  private isClosed = false

  /** `onEnded` may be told before `begin` has returned. */
  constructor(around: CallSurroundings, onEnded: (end: RunEnd) => void) {
    this.around = around
    this.onEnded = onEnded
  }

  begin(run: number, key: string, spec: Spec): void {
    switch (spec.type) {
      case 'call':
        return this.call(run, key, spec)
      case 'refused':
        return this.onEnded({ type: 'failed', run, failure: { error: encodeError(spec.error), computed: undefined } })
      case 'code':
        return this.atOnce(run, computed => ({ stored: bundleStored(spec.bundle, computed), value: spec.bundle }))
      case 'data':
        return this.atOnce(run, computed => dataResult(spec, computed))
    }
  }

  stop(run: number): void {
    this.running.get(run)?.call.stop()
  }

  /** Whatever runs has stopped for the machine's sake: its tasks are not failed by our leaving. */
  close(): void {
    this.isClosed = true
  }

  /** How long each run has been going on, in seconds, by key. */
  get durations(): Map<string, number> {
    const now = Date.now()
    return new Map([...this.running.values()].map(({ key, startedAt }) => [key, Math.max(0, now - startedAt) / 1000]))
  }

  private call(run: number, key: string, payload: CallPayload): void {
    const thread = this.takeThread()
    const call = new DaskCall(key, payload, this.around, end => {
      this.running.delete(run)
      this.threads.delete(thread)
      this.onEnded(this.endOf(run, key, payload, end, thread))
    })
    this.running.set(run, { key, call, thread, startedAt: Date.now() })
  }

  private endOf(run: number, key: string, payload: CallPayload, { outcome, times }: CallEnd, thread: number): RunEnd {
    const { events } = this.around
    if (this.isClosed || outcome.type === 'stopped') {
      events.tell(payload.topic, ['stopped', key])
      return { type: 'stopped', run }
    }
    events.ends(payload.topic, key)
    const computed = times && computedIn(times, thread)
    if (outcome.type !== 'returned') return failed(run, outcome.error, computed, outcome.type === 'crashed')
    try {
      const encoded = encodeValue(outcome.value, `the result of task '${payload.taskName}'`)
      const stored = resultStored(encoded, payload.inlineBytes, computed ?? now(thread))
      return { type: 'executed', run, value: { stored, value: outcome.value } }
    } catch (error) {
      return failed(run, error, computed, false)
    }
  }

  private atOnce(run: number, resultOf: (computed: Computed) => Result): void {
    try {
      this.onEnded({ type: 'executed', run, value: resultOf(now(0)) })
    } catch (error) {
      this.onEnded(failed(run, error, undefined, false))
    }
  }

  private takeThread(): number {
    let thread = 1
    while (this.threads.has(thread)) thread++
    this.threads.add(thread)
    return thread
  }
}

function failed(run: number, error: unknown, computed: Computed | undefined, crashed: boolean): RunEnd {
  return { type: 'failed', run, failure: { error: encodeError(error, { crashed }), computed } }
}

function dataResult({ value: wire }: DataPayload, computed: Computed): Result {
  const value = fromWire(wire)
  return { stored: resultStored(encodeValue(value), 0, computed), value }
}

/** A scheduler that is told that something took no time at all takes it for a contradiction, and hangs up. */
const leastSeconds = 1e-6

function computedIn({ startedAt, endedAt }: Times, thread: number): Computed {
  const start = startedAt / 1000
  return { start, stop: Math.max(endedAt / 1000, start + leastSeconds), thread }
}

function now(thread: number): Computed {
  const start = Date.now() / 1000
  return { start, stop: start + leastSeconds, thread }
}
