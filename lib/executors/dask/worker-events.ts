import { type LogLevel, logLevels } from '../../core/logger.js'
import type { WorkerEvent } from '../../dask/payload.js'
import { codec } from '../../values/json.js'
import type { Submission } from './submission.js'

/** Hears what workers tell of calls. Anybody on the cluster can speak on a topic: what is not understood is passed over. */
export function hear(events: unknown, open: ReadonlyMap<string, Submission>): void {
  if (!Array.isArray(events)) return
  for (const event of events) {
    const submission = Array.isArray(event) && typeof event[1] === 'string' ? open.get(event[1]) : undefined
    if (submission && isWorkerEvent(event)) tell(submission, event)
  }
}

function isWorkerEvent(event: readonly unknown[]): event is WorkerEvent {
  const [type, , first, second] = event
  switch (type) {
    case 'started':
      return Number.isFinite(first)
    case 'log':
    case 'printed':
      return logLevels.includes(first as LogLevel) && typeof second === 'string'
    case 'progress':
      return typeof first === 'number'
    default:
      return type === 'stopped'
  }
}

function tell(submission: Submission, event: WorkerEvent): void {
  const { call } = submission
  switch (event[0]) {
    case 'started':
      return submission.started(event[2])
    case 'stopped':
      return submission.stopped()
    case 'log':
      return call.log(event[2], event[3], fieldsOf(event[4]), event[5])
    case 'printed':
      return call.printed(event[2], event[3], event[4])
    case 'progress':
      return call.progress(event[2], event[3] ?? undefined)
  }
}

function fieldsOf(text: string | null): Readonly<Record<string, unknown>> | undefined {
  if (text === null) return undefined
  try {
    return codec.decode(text) as Record<string, unknown>
  } catch {
    return { fields: text }
  }
}
