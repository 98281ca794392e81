/** What a worker uses of its memory, in bytes. */
export interface MemoryReading {
  /** All that the process has. */
  readonly process: number
  /** The values that it keeps. */
  readonly stored: number
  /** What it may use; 0: no limit. */
  readonly limit: number
  /** Whether tasks run, which may give memory back when they end. */
  readonly isBusy: boolean
}

const pauseAbove = 0.8
/** A little lower, so that a worker at the edge does not go to and fro. */
const resumeBelow = 0.75
/** As long as that much of the limit is values, the scheduler can make room by moving them. */
const muchIsStored = 0.4

/**
 * Whether a worker should begin no tasks, given whether it does now. Rest helps only as long as something can become
 * free: where nothing runs and few values are kept, what is left is the process itself, and to wait for it would be to
 * wait for ever.
 */
export function shouldPause(isPaused: boolean, { process, stored, limit, isBusy }: MemoryReading): boolean {
  if (limit === 0) return false
  const isFull = process > limit * (isPaused ? resumeBelow : pauseAbove)
  return isFull && (isBusy || stored > limit * muchIsStored)
}
