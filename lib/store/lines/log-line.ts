import type { LogEntry } from '../../core/logger.js'
import { type Line, quoted } from './line.js'
import { decode, type ValueCodec, valueField } from './line-values.js'

/** The line of a log entry. */
export function logLine(entry: LogEntry, seq: number, codec: ValueCodec): string {
  const task = entry.taskRunId === undefined ? '' : `,"t":${quoted(entry.taskRunId)}`
  const fields = entry.fields === undefined ? '' : valueField('d', entry.fields, codec)
  return (
    `{"l":${quoted(entry.flowRunId)},"q":${seq}${task},"v":"${entry.level}","at":${entry.timestamp}` +
    `,"m":${JSON.stringify(entry.message)}${fields}}\n`
  )
}

/** The log line that an `l` line tells of. */
export function logEntryOf({ fields, value }: Line, flowRunId: string, codec: ValueCodec): LogEntry {
  const given = value === undefined ? undefined : (decode(value, codec) as Record<string, unknown>)
  return {
    flowRunId,
    ...(fields.t !== undefined && { taskRunId: fields.t }),
    level: fields.v,
    message: fields.m!,
    ...(given && { fields: given }),
    timestamp: fields.at,
  }
}
