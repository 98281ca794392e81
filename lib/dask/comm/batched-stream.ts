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
  private state: 'resting' | 'due' | 'kept back' = 'resting'

  constructor(comm: Comm, intervalMs: number) {
    this.comm = comm
    this.intervalMs = intervalMs
  }

  /** Throws INVALID_ARGUMENT for what no message can hold. What is sent after the connection has ended is lost. */
  send(message: unknown): void {
    if (this.comm.isClosed) return
    this.batch.add(message)
    if (this.state !== 'resting') return
    this.state = 'due'
    const wait = this.lastFlush + this.intervalMs - performance.now()
    if (wait <= 0) setImmediate(() => this.due())
    else setTimeout(() => this.due(), wait)
  }

  /** Sends what is waiting at once, however slowly the peer reads. */
  flush(): void {
    if (this.batch.size === 0 || this.comm.isClosed) return
    const frames = this.batch.frames()
    this.batch = new MessageBatch()
    this.lastFlush = performance.now()
    this.comm.writeFrames(frames)
  }

  private due(): void {
    if (this.comm.isFull) {
      this.state = 'kept back'
      void this.comm.drained().then(() => this.due())
      return
    }
    this.state = 'resting'
    this.flush()
  }
}
