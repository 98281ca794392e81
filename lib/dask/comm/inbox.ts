/** So many messages wait to be read before the peer has to wait as well. */
const capacity = 64

/** What has arrived and was not read yet, and who waits for more. */
export class Inbox {
  private readonly messages: unknown[] = []
  private readonly readers: Reader[] = []
  private listener: ((message: unknown) => void) | undefined

  /** Whether nothing more should be taken in for now. */
  get isFull(): boolean {
    return this.messages.length >= capacity
  }

  get isEmpty(): boolean {
    return this.messages.length === 0
  }

  put(message: unknown): void {
    const [reader] = this.readers
    if (this.listener) this.listener(message)
    else if (reader) reader.resolve(message)
    else this.messages.push(message)
  }

  /** The next message; rejects with what `late` gives if there is none within `timeoutMs`. */
  next(timeoutMs: number | undefined, late: () => Error): Promise<unknown> {
    if (this.messages.length > 0) return Promise.resolve(this.messages.shift())
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer)
        const index = this.readers.indexOf(reader)
        if (index >= 0) this.readers.splice(index, 1)
      }
      const settle =
        <T>(settled: (value: T) => void) =>
        (value: T) => {
          leave()
          settled(value)
        }
      const reader: Reader = { resolve: settle(resolve), reject: settle<Error>(reject) }
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => reader.reject(late()), timeoutMs)
      this.readers.push(reader)
    })
  }

  /** Gives every message to `listener` from now on, those that have arrived first. */
  listen(listener: (message: unknown) => void): void {
    this.listener = listener
    for (let message = this.messages.shift(); message !== undefined; message = this.messages.shift()) listener(message)
  }

  /** Disappoints whoever waits. */
  fail(error: Error): void {
    for (const reader of this.readers.splice(0)) reader.reject(error)
  }
}

interface Reader {
  readonly resolve: (message: unknown) => void
  readonly reject: (error: Error) => void
}
