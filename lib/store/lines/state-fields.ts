import { messageOf, type State, states } from '../../core/state.js'
import { notPersisted } from '../../core/store.js'
import type { Fields, Line } from './line.js'
import { quoted } from './line.js'
import { decode, errorField, notWanted, resultField, type ValueCodec, withResultIn } from './line-values.js'

// A state as the last fields of a line, whatever the line is about.

/** The fields of a state. `flowRunId`: which flow run a file of its result belongs to. */
export function stateFields(state: State, codec: ValueCodec, persist: boolean, flowRunId: string): string {
  const start = `"is":"${state.name}","at":${state.timestamp}`
  switch (state.name) {
    case 'Pending':
      return start
    case 'Running':
    case 'Retrying':
      return `${start},"n":${state.attempt}`
    case 'Completed':
    case 'Cached': {
      const from = state.cachedFrom === undefined ? '' : `,"from":${quoted(state.cachedFrom)}`
      return `${start}${messageField(state.message)}${from}${persist ? resultField(state.result, codec, flowRunId) : `,"x":"${notWanted}"`}`
    }
    case 'Cancelling':
      return `${start},"n":${state.attempt}${messageField(state.message)}`
    case 'Scheduled':
    case 'Late':
      return `${start},"for":${state.scheduledTime}${messageField(state.message)}`
    case 'AwaitingRetry':
      return `${start},"for":${state.scheduledTime},"n":${state.attempt}${errorField(state.error, codec)}`
    case 'NotReady':
      return `${start},"up":${quoted(state.upstreamId)}${messageField(state.message)}${errorField(state.error, codec)}`
    default: {
      const message = state.message === messageOf(state.error) ? undefined : state.message
      return `${start}${messageField(message)}${errorField(state.error, codec)}`
    }
  }
}

/** Why a run is in its state, if somebody says so. */
export function messageField(message: string | undefined): string {
  return message === undefined ? '' : `,"m":${JSON.stringify(message)}`
}

/**
 * The state that a line tells of. Without a codec its value is left out. `flowRunId` is needed where the line does not
 * begin with it, and its value may have a file.
 */
export function stateOf({ fields, value }: Line, codec?: ValueCodec, flowRunId = fields.f ?? fields.s ?? ''): State {
  const { file } = fields
  if (file !== undefined && codec) return withResultIn(flowRunId, file, codec, bareStateOf({ fields, value }))
  return bareStateOf({ fields, value }, codec)
}

function bareStateOf({ fields, value }: Line, codec?: ValueCodec): State {
  const { at } = fields
  switch (fields.is) {
    case 'Scheduled':
      return states.scheduled(at, fields.for, fields.m)
    case 'Late':
      return states.late(at, fields.for)
    case 'AwaitingRetry':
      return states.awaitingRetry(at, fields.for, fields.n, decode(value, codec))
    case 'Pending':
      return states.pending(at)
    case 'NotReady':
      return states.notReady(at, fields.up, decode(value, codec), fields.m)
    case 'Running':
    case 'Retrying':
      return states.running(at, fields.n)
    case 'Cancelling':
      return states.cancelling(at, fields.n, fields.m)
    case 'Completed':
      return states.completed(at, resultOf(fields, value, codec), fields.m)
    case 'Cached':
      return states.cached(at, resultOf(fields, value, codec), fields.from)
    case 'TimedOut':
      return states.timedOut(at, decode(value, codec))
    case 'Crashed':
      return states.crashed(at, decode(value, codec))
    case 'Cancelled':
      return states.cancelled(at, decode(value, codec), fields.m)
    case 'Failed':
      return states.failed(at, decode(value, codec), fields.m)
  }
}

function resultOf(fields: Fields, value: string | undefined, codec: ValueCodec | undefined): unknown {
  return fields.x === undefined ? decode(value, codec) : notPersisted(fields.x)
}
