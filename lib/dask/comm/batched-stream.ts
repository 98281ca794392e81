import { MessageBatch } from '../protocol/message.js'
import type { Comm } from './comm.js'

/**
 * Messages that go out together, as Dask's streams do: what is sent in one turn of the event loop always, what is sent
 * within `intervalMs` if something went out just before. While the peer reads slowly, they are kept back.
 */
export class BatchedStream {
  private readonly comm: Comm
  private readonly intervalMs: number
  private batch = new MessageBatch()
  private lastFlush = Number.NEGATIVE_INFINITY
  /** Of what is waiting to go out; undefined if nothing is. */
  private due: Due | undefined

  constructor(comm: Comm, intervalMs: number) {
    this.comm = comm
    this.intervalMs = intervalMs
    comm.whenClosed(() => this.due?.cancel())
  }

  /** Throws INVALID_ARGUMENT for what no message can hold. What is sent after the connection has ended is lost. */
  send(message: unknown): void {
    if (this.comm.isClosed) return
    this.batch.add(message)
    this.due ??= inMs(this.lastFlush + this.intervalMs - performance.now(), () => this.flushOrWait())
  }

  /** Sends what is waiting at once, however slowly the peer reads. */
  flush(): void {
    this.due?.cancel()
    this.due = undefined
    if (this.batch.size === 0 || this.comm.isClosed) return
    const frames = this.batch.frames()
    this.batch = new MessageBatch()
    this.lastFlush = performance.now()
    this.comm.writeFrames(frames)
  }

  private flushOrWait(): void {
    if (!this.comm.isFull) return this.flush()
    let isWanted = true
    this.due = {
      cancel: () => {
        isWanted = false
      },
    }
    void this.comm.drained().then(() => {
      if (isWanted) this.flushOrWait()
    })
  }
}

interface Due {
  cancel(): void
}

/** At the end of this turn of the event loop at the earliest. */
function inMs(ms: number, callback: () => void): Due {
  if (ms <= 0) {
    const turn = setImmediate(callback)
    return { cancel: () => clearImmediate(turn) }
  }
  const timer = setTimeout(callback, ms)
  return { cancel: () => clearTimeout(timer) }
}
