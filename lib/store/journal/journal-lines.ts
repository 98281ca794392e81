import { open } from 'node:fs/promises'
import { type Damage, scanWholeLines, type WholeLine, type WholeLinesOptions } from '../lines/whole-lines.js'
import { bytesAfter } from './rest.js'

/** A file of a journal. */
export interface JournalPart {
  readonly path: string
  /** Whether its lines have seals. */
  readonly sealed: boolean
}

/** Where reading goes on: in which of the files, and at which byte. */
export interface Position {
  readonly part: number
  readonly offset: number
}

/** Where a line is. */
export interface Place extends Position {
  /** With its seal, without its newline. */
  readonly length: number
}

export interface JournalLine extends WholeLine {
  readonly part: number
}

/** How much of a line is read to find its number. */
const headBytes = 4096

/**
 * The lines of a journal, whose files are read as one. A writer that cannot trust a file goes on in the next one, with
 * all that it is not sure of: what was there before is left out when it comes again.
 */
export class JournalLines {
  parts: readonly JournalPart[]
  readonly #onDamage: (damage: Damage) => void
  /** By part: the numbers of the lines in it that have been there before. */
  readonly #repeated = new Map<number, ReadonlySet<number>>()

  constructor(parts: readonly JournalPart[], onDamage: (damage: Damage) => void = () => {}) {
    this.parts = parts
    this.#onDamage = onDamage
  }

  /** Reads on from a position. Gives the one after the last line that was read. */
  async read(
    from: Position,
    onLine: (line: JournalLine) => boolean | undefined,
    options: Pick<WholeLinesOptions, 'pause' | 'pieceBytes'> & { readonly quiet?: boolean } = {},
  ): Promise<Position> {
    let { part, offset } = from
    let goesOn = true
    for (; part < this.parts.length; part += 1, offset = 0) {
      const { path, sealed } = this.parts[part]!
      const isLast = part === this.parts.length - 1
      const repeated = part === 0 ? none : await this.#repeatedIn(part)
      if (!repeated) return { part, offset } // it has no line yet
      const onDamage = options.quiet ? undefined : this.#onDamage
      const visit = (line: WholeLine): boolean | undefined => {
        if (repeated.size > 0 && repeated.has(numberOf(line) ?? -1)) return undefined
        goesOn = onLine(withPart(line, part)) !== false
        return goesOn
      }
      offset = await scanWholeLines(path, offset, visit, { ...options, sealed, onDamage })
      if (!goesOn) return { part, offset }
      if (isLast) return { part, offset }
      if (onDamage) this.#checkEnd(path, offset, onDamage)
    }
    return { part, offset }
  }

  /** The numbers that have been seen before of a file's lines; `undefined`: there is no line in it yet. */
  async #repeatedIn(part: number): Promise<ReadonlySet<number> | undefined> {
    const known = this.#repeated.get(part)
    if (known) return known
    const first = await firstNumber(this.parts[part]!)
    if (first === undefined) return undefined
    const seen = new Set<number>()
    for (let before = part - 1; before >= 0; before -= 1) {
      const last = await lastNumber(this.parts[before]!)
      if (last === undefined) continue
      if (last < first) break
      const { path, sealed } = this.parts[before]!
      await scanWholeLines(
        path,
        0,
        line => {
          const number = numberOf(line)
          if (number !== undefined && number >= first) seen.add(number)
          return undefined
        },
        { sealed },
      )
    }
    this.#repeated.set(part, seen)
    return seen
  }

  /** A file that another one follows ends with a whole line. */
  #checkEnd(path: string, offset: number, onDamage: (damage: Damage) => void): void {
    const bytes = bytesAfter(path, offset)
    if (bytes > 0) onDamage({ path, offset, bytes })
  }
}

const none: ReadonlySet<number> = new Set()

function withPart(line: WholeLine, part: number): JournalLine {
  const { bytes, start, end, offset, length } = line
  return line.isSaved ? { ...line, part } : { bytes, start, end, offset, length, part }
}

const numbered = /"q":(\d+)/

/** The `q` of a line, which stands before anything that users write, but for names and ids. */
export function numberOf({ bytes, start, end }: WholeLine): number | undefined {
  const match = numbered.exec(bytes.toString('latin1', start, Math.min(end, start + headBytes)))
  return match ? Number(match[1]) : undefined
}

/** The number of the first line of a file that is no header; `undefined`: there is none yet. */
export async function firstNumber({ path, sealed }: JournalPart): Promise<number | undefined> {
  let first: number | undefined
  let any = false
  await scanWholeLines(
    path,
    0,
    line => {
      if (isHeader(line)) return undefined
      any = true
      first = numberOf(line)
      return false
    },
    { sealed, pieceBytes: 64 * 1024 },
  )
  return any ? (first ?? Number.POSITIVE_INFINITY) : undefined
}

async function lastNumber({ path, sealed }: JournalPart): Promise<number | undefined> {
  let last: number | undefined
  for (let tail = 64 * 1024; ; tail *= 8) {
    const size = await sizeOf(path)
    const from = Math.max(0, size - tail)
    await scanWholeLines(
      path,
      from,
      line => {
        const number = isHeader(line) || (from > 0 && line.offset === from) ? undefined : numberOf(line)
        if (number !== undefined) last = number
        return undefined
      },
      { sealed },
    )
    if (last !== undefined || from === 0) return last
  }
}

function isHeader({ bytes, start }: WholeLine): boolean {
  return bytes[start + 2] === 0x68
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(path, 'r')
  try {
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}
