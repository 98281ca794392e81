// Calls are numbered by thread. Their numbers tell apart what a thread holds, and name the slot of each.

/** How many calls a thread may hold at once: those sent and not yet settled. A power of two, for the sake of `slotOf`. */
export const capacity = 1024

/** The largest number of a call. 0 is nobody's. */
const last = 0x0fffffff

/** The number of the call after call `n`: they begin again long after those of that number are forgotten. */
export function after(n: number): number {
  return n === last ? 1 : n + 1
}

/** How many calls there are from call `first` to the one before call `next`. */
export function between(first: number, next: number): number {
  return next >= first ? next - first : next + last - first
}

/** The slot of call `n`. */
export function slotOf(n: number): number {
  return n & (capacity - 1)
}
