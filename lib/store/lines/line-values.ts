import { asError } from '../../core/errors.js'
import { messageOf, type State } from '../../core/state.js'
import { type Codec, notPersisted, tooLarge } from '../../core/store.js'

// Values in lines (results, errors, parameters, the fields of logs) as the text that the codec gives; where a value is
// too large or cannot be kept, the name of a file that has it, or the reason.

/** The largest error that a state line holds, in characters of JSON; and the largest result where there are no files. */
const maxValue = 1024 * 1024

/** The largest result that a line holds where larger ones have files, in characters of JSON. */
export const maxInLine = 64 * 1024

/** The longest message and the longest stack of an error that is too large as a whole. */
const maxText = 64 * 1024

/** Why a result was not kept that nobody wanted to keep. */
export const notWanted = 'not wanted'

/** Values as JSON text, of which large ones may be kept elsewhere. */
export interface ValueCodec extends Codec {
  /** Files for what is too large for a line. */
  readonly files?: ValueFiles | undefined
}

/** Keeps texts that are too large for a line. */
export interface ValueFiles {
  /** The longest text that is kept. */
  readonly limit: number
  /** Keeps a text for a flow run. Gives its name. */
  write(flowRunId: string, text: string): string
  /** The text of that name, or why there is none. */
  read(flowRunId: string, name: string): ReadText
}

/** A text, or why it cannot be read. */
export type ReadText =
  | { readonly text: string; readonly why?: undefined }
  | { readonly text?: undefined; readonly why: string }

/** A value as the last field of its line, or the reason why it is not there. `undefined` is no field at all. */
export function valueField(key: 'r' | 'd', value: unknown, codec: ValueCodec, limit = maxValue): string {
  if (value === undefined) return ''
  const { text, why } = textOrWhyNot(value, codec, limit)
  return text === undefined ? `,"x":${JSON.stringify(why)}` : `,"${key}":${text}`
}

/** A result, the name of its file, or the reason why it is not there. */
export function resultField(result: unknown, codec: ValueCodec, flowRunId: string): string {
  if (result === undefined) return ''
  const { text, file, why } = valueText(result, codec, flowRunId)
  if (text !== undefined) return `,"r":${text}`
  return file === undefined ? `,"x":${JSON.stringify(why)}` : `,"file":"${file}"`
}

/** An error must not be lost because something hangs on it that cannot be kept: then its own text is kept. */
export function errorField(error: unknown, codec: ValueCodec): string {
  if (error === undefined) return ''
  try {
    const text = encode(error, codec, maxValue)
    if (text.length <= maxValue) return `,"e":${text}`
  } catch {}
  const { name, message, stack } = asError(error)
  const bare = new Error(message.slice(0, maxText))
  Object.assign(bare, { name, stack: stack?.slice(0, maxText) })
  return `,"e":${encode(bare, codec, Number.POSITIVE_INFINITY)}`
}

/** A value of a flow run as text for a line, as the name of a file that has it, or why it cannot be kept. */
export type KeptValue =
  | { readonly text: string; readonly file?: undefined; readonly why?: undefined }
  | { readonly text?: undefined; readonly file: string; readonly why?: undefined }
  | { readonly text?: undefined; readonly file?: undefined; readonly why: string }

/** What a line can hold of a value: a text that is too large gets a file, where there are files. */
export function valueText(value: unknown, codec: ValueCodec, flowRunId: string): KeptValue {
  const { files } = codec
  if (!files) return textOrWhyNot(value, codec)
  const kept = textOrWhyNot(value, codec, files.limit)
  if (kept.text === undefined || kept.text.length <= maxInLine) return kept
  try {
    return { file: files.write(flowRunId, kept.text) }
  } catch (error) {
    return { why: `its file could not be written: ${messageOf(error)}` }
  }
}

/** The text of a value in one line, or why it cannot be kept. */
export function textOrWhyNot(
  value: unknown,
  codec: ValueCodec,
  limit = maxValue,
): { readonly text: string; readonly why?: undefined } | { readonly text?: undefined; readonly why: string } {
  try {
    const text = encode(value, codec, limit)
    return text.length <= limit ? { text } : { why: tooLarge(text.length, limit) }
  } catch (error) {
    return { why: messageOf(error) ?? 'refused by the codec' }
  }
}

function encode(value: unknown, codec: ValueCodec, limit: number): string {
  // Seen before a text is made of it, which may be far larger than memory would like.
  if (typeof value === 'string' && value.length > limit) throw new RangeError(tooLarge(value.length, limit))
  // What JSON itself says of these is what every codec says of them.
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0)) return `${value}`
  const text = codec.encode(value, limit)
  return text.includes('\n') || text.includes('\r') ? JSON.stringify(JSON.parse(text)) : text
}

/** A value that the codec of today cannot read costs that value, not the list that it is in. */
export function decode(value: string | undefined, codec: ValueCodec | undefined): unknown {
  if (value === undefined || codec === undefined) return undefined
  try {
    return codec.decode(value)
  } catch (error) {
    return notPersisted(`cannot be read: ${messageOf(error)}`)
  }
}

/** A state whose result is read from its file when somebody asks for it: there may be thousands, and each is large. */
export function withResultIn<S extends State>(flowRunId: string, file: string, codec: ValueCodec, state: S): S {
  let read: { readonly result: unknown } | undefined
  const get = () => (read ??= { result: fileValue(flowRunId, file, codec) }).result
  return Object.defineProperty(state, 'result', { get, enumerable: true, configurable: true })
}

/** A value that has a file, read now. */
export function fileValue(flowRunId: string, file: string, codec: ValueCodec): unknown {
  const { text, why = 'its file cannot be read here' } = codec.files?.read(flowRunId, file) ?? {}
  return text === undefined ? notPersisted(why) : decode(text, codec)
}
