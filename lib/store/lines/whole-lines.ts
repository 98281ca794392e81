import { type RawLine, type ScanOptions, scanLines } from './scan.js'
import { sealLength, unseal } from './seal.js'

/** A line whose seal is whole and has been taken off. */
export interface WholeLine extends RawLine {
  /** How many bytes it takes in its file, with its seal and without its newline. */
  readonly length: number
  /** It stood among damaged bytes: what comes before and after it need not be a newline. */
  readonly isSaved?: true
}

/** Bytes of a file that nobody understands. */
export interface Damage {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

export interface WholeLinesOptions extends ScanOptions {
  /** Whether every line has a seal. Those of the formats before 3 have none. Default: yes. */
  readonly sealed?: boolean | undefined
  readonly onDamage?: ((damage: Damage) => void) | undefined
}

/**
 * Reads the lines of a file as {@link scanLines} does, and gives those whose seal is whole. Of bytes that have changed
 * the rest is saved: where a newline has become something else, two lines look like one and both are found in it.
 */
export function scanWholeLines(
  path: string,
  from: number,
  onLine: (line: WholeLine) => boolean | undefined,
  options: WholeLinesOptions = {},
): Promise<number> {
  const { sealed = true, onDamage } = options
  const damaged = (offset: number, bytes: number) => onDamage?.({ path, offset, bytes })
  return scanLines(path, from, raw => eachWholeLine(raw, sealed, onLine, damaged), options)
}

type OnLine = (line: WholeLine) => boolean | undefined
type OnDamage = (offset: number, bytes: number) => void

/** Gives a line without its seal; or what is whole in it, if it is not. `false`: `onLine` wants no more. */
export function eachWholeLine(raw: RawLine, sealed: boolean, onLine: OnLine, onDamage: OnDamage): boolean | undefined {
  const { end, offset, start } = raw
  const line = unseal(raw)
  if (line) return onLine(withLength(line, end - start))
  if (!sealed && !endsLikeASeal(raw)) return onLine(withLength(raw, end - start))
  let from = start
  for (const found of wholeLinesIn(raw)) {
    const at = start + found.offset - offset
    if (at > from + 1) onDamage(offset + from - start, at - from)
    from = at + found.length
    if (onLine(found) === false) return false
  }
  // One byte between two lines was their newline. It costs nothing, but it is damage all the same.
  if (from === start || end > from) onDamage(offset + from - start, end - from)
  else onDamage(offset, end - start)
  return undefined
}

function withLength({ bytes, start, end, offset }: RawLine, length: number): WholeLine {
  return { bytes, start, end, offset, length }
}

const beginning = /\{"[a-z]":/g
const ending = /,"z":"[0-9a-f]{8}"\}/g
/** How many places are tried as the beginning of one line: bytes of a user's value may look like many. */
const maxTries = 200

/** Whole lines somewhere in bytes that are not one. */
function* wholeLinesIn(raw: RawLine): Generator<WholeLine> {
  const { bytes, start, end, offset } = raw
  const text = bytes.toString('latin1', start, end)
  const begins = Array.from(text.matchAll(beginning), match => match.index)
  let from = 0
  for (const match of text.matchAll(ending)) {
    const to = match.index + sealLength
    const places = begins.filter(at => at >= from && at < match.index)
    // Those at both ends: a line that others were glued to, or before which something was lost.
    const tried = places.length <= maxTries ? places : [...places.slice(0, maxTries), ...places.slice(-maxTries)]
    for (const at of tried) {
      const line = unseal({ bytes, start: start + at, end: start + to, offset: offset + at })
      if (!line) continue
      yield { ...withLength(line, to - at), isSaved: true }
      from = to
      break
    }
  }
}

function endsLikeASeal({ bytes, start, end }: RawLine): boolean {
  return end - start >= sealLength && /^,"z":"[0-9a-f]{8}"\}$/.test(bytes.toString('latin1', end - sealLength, end))
}
