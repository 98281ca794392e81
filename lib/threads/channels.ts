import { type Channel, channel } from 'node:diagnostics_channel'

// What pools of threads publish for tracing and metrics. docs/TRACING.md describes it. Nothing is made for a channel that
// nobody listens to. A thread goes by its `threadId`.

/** A thread has been started, or has ended, whatever the reason. */
export interface ThreadMessage {
  readonly thread: number
}

/** A thread is lost: it ended by itself, or is ended because a call would not stop. Its end is told too, later. */
export interface ThreadLost extends ThreadMessage {
  readonly error: unknown
  /** The task that would not stop. */
  readonly task?: string | undefined
}

/** So many calls were sent to a thread in one go, or taken back from it for a thread that has nothing to do. */
export interface CallsMessage extends ThreadMessage {
  readonly calls: number
}

const named = (what: string): Channel => channel(`mintaka:executor:${what}`)
const [threadStart, threadLost, threadEnd] = [named('thread-start'), named('thread-lost'), named('thread-end')]
const [batch, steal] = [named('batch'), named('steal')]

export function publishThreadStart(thread: number): void {
  if (threadStart.hasSubscribers) threadStart.publish({ thread } satisfies ThreadMessage)
}

export function publishThreadLost(thread: number, error: unknown, task?: string): void {
  if (threadLost.hasSubscribers) threadLost.publish({ thread, error, task } satisfies ThreadLost)
}

export function publishThreadEnd(thread: number): void {
  if (threadEnd.hasSubscribers) threadEnd.publish({ thread } satisfies ThreadMessage)
}

export function publishBatch(thread: number, calls: number): void {
  if (batch.hasSubscribers) batch.publish({ thread, calls } satisfies CallsMessage)
}

export function publishSteal(thread: number, calls: number): void {
  if (steal.hasSubscribers) steal.publish({ thread, calls } satisfies CallsMessage)
}
