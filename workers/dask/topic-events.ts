import type { WorkerEvent } from '../../lib/dask/payload.js'

/** How long events may wait for others that go to the same topic. */
const gatherMs = 5

/** What calls say while they run, on its way to whoever listens to their topic: many in one message. */
export class TopicEvents {
  private readonly send: (message: unknown) => void
  private readonly waiting = new Map<string, WorkerEvent[]>()
  private timer: NodeJS.Timeout | undefined

  constructor(send: (message: unknown) => void) {
    this.send = send
  }

  tell(topic: string, event: WorkerEvent): void {
    const events = this.waiting.get(topic)
    if (events) events.push(event)
    else this.waiting.set(topic, [event])
    this.timer ??= setTimeout(() => this.flush(), gatherMs)
  }

  /**
   * The end of a call is about to be told: what it has said goes before it. That it has begun is said by its end too, and
   * not worth a message.
   */
  ends(topic: string, key: string): void {
    const events = this.waiting.get(topic)
    if (!events) return
    const own = events.filter(([, of]) => of === key)
    const [first] = own
    if (own.length === 1 && first?.[0] === 'started') events.splice(events.indexOf(first), 1)
    else if (own.length > 0) this.flushTopic(topic, events)
    if (events.length === 0) this.waiting.delete(topic)
  }

  flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    for (const [topic, events] of this.waiting) this.flushTopic(topic, events)
  }

  // The scheduler takes no `stimulus_id` with it.
  private flushTopic(topic: string, events: readonly WorkerEvent[]): void {
    this.waiting.delete(topic)
    this.send({ op: 'log-event', topic, msg: events })
  }
}
