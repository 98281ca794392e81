import type { StopListener } from '../../lib/core/executor.js'
import type { LogLevel } from '../../lib/core/logger.js'
import type { CallPayload } from '../../lib/dask/payload.js'
import type { WorkCall } from '../../lib/threads/job.js'
import { codec } from '../../lib/values/json.js'
import type { TopicEvents } from './topic-events.js'

/** What a call says while it runs goes to the topic of whoever made it. */
export class ToldCall implements WorkCall {
  readonly whenStopped: (listener: StopListener) => void
  private readonly key: string
  private readonly payload: CallPayload
  private readonly events: TopicEvents
  private controller: AbortController | undefined
  private hasStarted = false

  constructor(key: string, payload: CallPayload, events: TopicEvents, whenStopped: (listener: StopListener) => void) {
    this.key = key
    this.payload = payload
    this.events = events
    this.whenStopped = whenStopped
  }

  get id(): string {
    return this.payload.id
  }

  get name(): string {
    return this.payload.name
  }

  get attempt(): number {
    return this.payload.attempt
  }

  get flowRunId(): string {
    return this.payload.flowRunId
  }

  get tags(): readonly string[] {
    return this.payload.tags
  }

  /** Nobody asks for it: who would, is told by `whenStopped`. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    return this.controller.signal
  }

  /** What a call says is mostly heard before it is known that it has begun: whichever comes first tells of that, once. */
  started(at = Date.now()): void {
    if (this.hasStarted) return
    this.hasStarted = true
    this.events.tell(this.payload.topic, ['started', this.key, at])
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>, at = Date.now()): void {
    this.started(at)
    this.events.tell(this.payload.topic, ['log', this.key, level, message, fields ? codec.encode(fields) : null, at])
  }

  printed(level: LogLevel, text: string, at = Date.now()): void {
    this.started(at)
    this.events.tell(this.payload.topic, ['printed', this.key, level, text, at])
  }

  progress(fraction: number, note?: string): void {
    this.started()
    this.events.tell(this.payload.topic, ['progress', this.key, Number(fraction), note ?? null])
  }
}
