import { copyOf, type FlowRun } from '../../core/run.js'
import { notPersisted } from '../../core/store.js'
import { type Line, quoted } from './line.js'
import { decode, fileValue, type KeptValue, type ValueCodec, valueText } from './line-values.js'
import { stateFields, stateOf } from './state-fields.js'

/** The line of a new flow run. `parameters`: what the flow was called with, whole. */
export function flowRunLine(run: FlowRun, seq: number, codec: ValueCodec, parameters?: unknown): string {
  const { state, ...record } = copyOf(run)
  const start = `{"f":${quoted(run.id)},"q":${seq},"run":${JSON.stringify(record)}`
  const fields = stateFields(state, codec, true, run.id)
  const given = parameters === undefined ? undefined : valueText(parameters, codec, run.id)
  if (!given) return `${start},${fields}}\n`
  // There is one value at the end of a line. A first state that has one is rare.
  const isLast = given.text !== undefined && !('error' in state || 'result' in state)
  return isLast ? `${start},${fields},"p":${given.text}}\n` : `${start}${parametersField(given)},${fields}}\n`
}

/** Parameters before the fields of a state. */
export function parametersField({ text, file, why }: KeptValue): string {
  if (text !== undefined) return `,"ps":${JSON.stringify(text)}`
  return file === undefined ? `,"px":${JSON.stringify(why)}` : `,"pf":"${file}"`
}

/** The flow run that an `f` line tells of, in its first state. */
export function flowRunOf({ fields, value }: Line, codec?: ValueCodec): FlowRun {
  return { ...(fields.run as Omit<FlowRun, 'state'>), state: stateOf({ fields, value }, codec) }
}

/** What the flow run that an `f` line, or a later one of its, tells of was called with. */
export function parametersOf({ fields, value }: Line, codec: ValueCodec): unknown {
  const { f, s = '', is, ps, pf, px } = fields
  if (px !== undefined) return notPersisted(px)
  if (pf !== undefined) return fileValue(f ?? s, pf, codec)
  if (ps !== undefined) return decode(ps, codec)
  const isLast = f !== undefined && (is === 'Pending' || is === 'Scheduled' || is === 'Late')
  return isLast ? decode(value, codec) : undefined
}
