import type { Job } from './job.js'
import { asList, type Code, type Kin, type Parcel } from './protocol.js'
import { after, type Slots } from './slots.js'

/** Packs calls for a thread: what they have in common once, numbers into their slots, arguments one after the other. */
export class Packer {
  readonly parcel: Parcel & { count: number; readonly kins: Kin[]; readonly args: unknown[] }
  /** The number of the next call. */
  next: number
  private readonly slots: Slots
  private readonly samples: Job[] = []

  constructor(first: number, slots: Slots) {
    this.parcel = { first, count: 0, kins: [], args: [] }
    this.next = first
    this.slots = slots
  }

  /** `newCode` is the code of the call if the thread has yet to get it. */
  add(job: Job, newCode: Code | undefined): void {
    const { parcel, next } = this
    const { args, call } = job.work
    const kin = newCode ? this.open(job, newCode) : (this.find(job) ?? this.open(job, undefined))
    this.slots.offer(next, kin, call.idNumber ?? 0, call.nameNumber ?? 0)
    if (job.wire !== undefined) parcel.args.push(job.wire)
    else for (const arg of args) parcel.args.push(arg)
    parcel.count++
    this.next = after(next)
  }

  // Calls of a task come in a row, and those of a pipeline by turns: the last few are looked at.
  private find(job: Job): number | undefined {
    const { samples } = this
    const oldest = Math.max(0, samples.length - 8)
    for (let index = samples.length - 1; index >= oldest; index--) {
      if (areKin(samples[index] as Job, job)) return index
    }
    return undefined
  }

  private open(job: Job, newCode: Code | undefined): number {
    const { series, id, name, flowRunId, tags, attempt, timeoutMs } = job.work.call
    const arity = arityOf(job)
    const tells = timeoutMs !== undefined
    const { code, number } = job.code
    const common = { flowRunId, tags, attempt, taskName: code.taskName, code: number, newCode, arity, tells }
    const names = series ? { id: series.id, name: series.name, isNumbered: true } : { id, name, isNumbered: false }
    this.samples.push(job)
    return this.parcel.kins.push({ ...names, ...common }) - 1
  }
}

function areKin(one: Job, other: Job): boolean {
  const a = one.work.call
  const b = other.work.call
  return (
    a.series !== undefined &&
    a.series === b.series &&
    one.code === other.code &&
    a.attempt === b.attempt &&
    arityOf(one) === arityOf(other)
  )
}

function arityOf(job: Job): number {
  return job.wire === undefined ? job.work.args.length : asList
}
