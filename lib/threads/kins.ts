import type { CallSeries } from '../core/executor.js'
import { capacity } from './call-numbers.js'
import type { Job } from './job.js'
import type { KnownCode } from './known-codes.js'
import { asList, type Code, type Kin } from './protocol.js'

/** Both sides keep as many: a place is used again when every call that it was for has long begun. */
export const kinPlaces = 2 * capacity

/** Where the kin of a series stands, as long as its calls are alike in the rest too. */
interface Place {
  readonly at: number
  readonly code: KnownCode
  readonly attempt: number
  readonly arity: number
}

/** What a thread knows of what calls have in common: it is told once, and then by its place. */
export class Kins {
  private readonly places = new Map<CallSeries, Place>()
  /** Whose place it is. */
  private readonly holders: (CallSeries | undefined)[] = []
  private next = 0
  private untold: Kin[] = []

  /** The place of what a call shares with others. `newCode` is its code if the thread has yet to get it. */
  placeOf(job: Job, newCode: Code | undefined): number {
    const { series, attempt } = job.work.call
    const place = series && this.places.get(series)
    const isKnown =
      place && !newCode && place.code === job.code && place.attempt === attempt && place.arity === arityOf(job)
    return isKnown ? place.at : this.add(job, newCode)
  }

  /** What the thread has yet to be told, and the place of the first: the others follow. */
  take(): { readonly at: number; readonly kins: readonly Kin[] } {
    const kins = this.untold
    if (kins.length > 0) this.untold = []
    return { at: (this.next - kins.length + kinPlaces) % kinPlaces, kins }
  }

  /** The thread has not been told: it is told again. */
  forgetAll(): void {
    this.places.clear()
  }

  private add(job: Job, newCode: Code | undefined): number {
    const { call } = job.work
    const { series, id, name, flowRunId, tags, attempt, timeoutMs } = call
    const { code, number } = job.code
    const names = series ? { id: series.id, name: series.name, isNumbered: true } : { id, name, isNumbered: false }
    const arity = arityOf(job)
    const tells = timeoutMs !== undefined
    this.untold.push({
      ...names,
      flowRunId,
      tags,
      attempt,
      taskName: code.taskName,
      code: number,
      newCode,
      arity,
      tells,
    })
    const at = this.next
    this.next = (at + 1) % kinPlaces
    this.free(at)
    this.holders[at] = series
    if (series) this.places.set(series, { at, code: job.code, attempt, arity })
    return at
  }

  private free(at: number): void {
    const holder = this.holders[at]
    if (holder && this.places.get(holder)?.at === at) this.places.delete(holder)
  }
}

function arityOf(job: Job): number {
  return job.wire === undefined ? job.work.args.length : asList
}
