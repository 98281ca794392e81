import type { Job } from './job.js'
import { Kins } from './kins.js'
import type { Parcel } from './protocol.js'
import type { Slots } from './slots.js'

/** Makes the parcels for a thread. It knows what that has been told, which is told once. */
export class Packer {
  private readonly slots: Slots
  /** The numbers of the codes that the thread has. */
  private readonly known = new Set<number>()
  private readonly kins = new Kins()

  constructor(slots: Slots) {
    this.slots = slots
  }

  /** Calls that have been encoded and numbered, from `first` on. */
  pack(first: number, jobs: readonly Job[]): Parcel {
    const args: unknown[] = []
    for (const job of jobs) this.add(job, args)
    const { at, kins } = this.kins.take()
    return [first, jobs.length, at, kins, args]
  }

  /** What it shares with others by its place, numbers to its slot, its arguments to those of the others. */
  private add(job: Job, args: unknown[]): void {
    const { code, number } = job.code
    const newCode = this.known.has(number) ? undefined : code
    if (newCode) this.known.add(number)
    const { call, args: own } = job.work
    this.slots.offer(job.n, this.kins.placeOf(job, newCode), call.idNumber ?? 0, call.nameNumber ?? 0)
    if (job.wire !== undefined) args.push(job.wire)
    else for (const arg of own) args.push(arg)
  }

  /** Nothing of their parcel has reached the thread: what it said is told again. */
  unsent(jobs: readonly Job[]): void {
    for (const job of jobs) this.known.delete(job.code.number)
    this.kins.forgetAll()
  }

  /** The number of a code will mean another code. */
  forget(number: number): void {
    this.known.delete(number)
  }
}
