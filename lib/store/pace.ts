/** How long work in the background may keep the loop to itself. */
const sliceMs = 4
/** How long others have the loop in between. */
const restMs = 2

/** Divides work in the background into slices. It does not keep the process alive, until somebody waits for its end. */
export class Pace {
  #began = performance.now()
  #isHeld = false
  #timer: NodeJS.Timeout | undefined

  /** To be awaited between small pieces of work; a promise only if the slice is over. */
  readonly pause = (): Promise<void> | undefined => {
    return performance.now() - this.#began < sliceMs ? undefined : this.rest()
  }

  /** Lets others have the loop. */
  rest(): Promise<void> {
    return new Promise(resolve => {
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined
          this.#began = performance.now()
          resolve()
        },
        this.#isHeld ? 0 : restMs,
      )
      if (!this.#isHeld) this.#timer.unref()
    })
  }

  /** From now on the process waits for this work. */
  hold(): void {
    this.#isHeld = true
    this.#timer?.ref()
  }
}
