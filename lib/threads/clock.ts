/**
 * Epoch milliseconds with fractions, for both sides of a thread: what they note can be compared. It runs evenly, as
 * `performance.now()` does, and is set right when it has drifted away from the time of day.
 */
export class Clock {
  private offset = performance.timeOrigin

  now(): number {
    return this.offset + performance.now()
  }

  /** Sets the clock right if need be; `Date.now()` is up to a millisecond behind. */
  check(): void {
    const behind = Date.now() - this.now()
    if (behind > 1 || behind < -2) this.offset += behind
  }
}
