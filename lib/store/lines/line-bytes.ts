import { closeSync, openSync, readSync } from 'node:fs'
import { taskRunId } from '../../core/task-calls.js'
import type { RawLine } from './scan.js'

// What a line says of itself before it is parsed. Texts that are compared with bytes are latin1: a character per byte.

const codeOf = (letter: string) => letter.charCodeAt(0)

/** What a line is, by its first key. */
export const keys = {
  header: codeOf('h'),
  flowRun: codeOf('f'),
  flowState: codeOf('s'),
  taskRun: codeOf('t'),
  taskState: codeOf('u'),
  batch: codeOf('b'),
  log: codeOf('l'),
  closed: codeOf('c'),
  /** The head of a flow run's lines, in the history. */
  section: codeOf('r'),
} as const

/** The first key of a line, which is one letter. `undefined`: this is no line of ours. */
export function keyOf({ bytes, start, end }: RawLine): number | undefined {
  return end - start > 4 && bytes[start + 1] === 0x22 && bytes[start + 3] === 0x22 ? bytes[start + 2] : undefined
}

export const textOf = ({ bytes, start, end }: RawLine) => bytes.toString('utf8', start, end)
export const latin1 = (text: string) => Buffer.from(text).toString('latin1')
export const utf8 = (raw: string) => Buffer.from(raw, 'latin1').toString('utf8')

/** Compares bytes, so `raw` is text as {@link latin1} gives it. */
export function beginsWith({ bytes, start, end }: RawLine, raw: string): boolean {
  return end - start >= raw.length && bytes.toString('latin1', start, start + raw.length) === raw
}

/** The id that a line begins with, as it stands there: quoted, its bytes as latin1. */
export function idOf(line: RawLine): string {
  return quotedAt(line, line.start + 5)
}

/** The id of the flow run that a line is about, as {@link idOf} gives it; '' if the line does not say. */
export function flowRunIdOf(line: RawLine): string {
  const key = keyOf(line)
  const id = idOf(line)
  if (key === keys.taskRun) {
    const at = line.start + 5 + id.length
    return line.bytes.toString('latin1', at, at + 5) === ',"f":' ? quotedAt(line, at + 5) : ''
  }
  if (key !== keys.taskState) return key === keys.closed || key === keys.header ? '' : id
  const dash = id.lastIndexOf('-')
  return dash > 0 && /^\d+"$/.test(id.slice(dash + 1)) ? `${id.slice(0, dash)}"` : ''
}

function quotedAt({ bytes, end }: RawLine, at: number): string {
  if (bytes[at] !== 0x22) return ''
  for (let close = at + 1; close < end; close += 1) {
    const byte = bytes[close]
    if (byte === 0x5c) close += 1
    else if (byte === 0x22) return bytes.toString('latin1', at, close + 1)
  }
  return ''
}

/** The id that raw text stands for. */
export function unquoted(raw: string): string {
  return JSON.parse(utf8(raw)) as string
}

/** The flow run and number that the id of a call tells, if it is one. */
export function callOf(id: string): { readonly flowRunId: string; readonly number: number } | undefined {
  const dash = id.lastIndexOf('-')
  const call = { flowRunId: id.slice(0, dash), number: Number(id.slice(dash + 1)) }
  return dash > 0 && taskRunId(call.flowRunId, call.number) === id ? call : undefined
}

const longest = 16 * 1024

/** A line without most of its value, if that is long: for readers who do not need it. */
export function headText(raw: RawLine): string {
  if (raw.end - raw.start <= longest) return textOf(raw)
  const text = raw.bytes.toString('utf8', raw.start, raw.start + longest)
  return /,"[redp]":/.test(text) ? `${text}}` : textOf(raw)
}

/** Bytes of a file. Short reads are far cheaper at once than by way of the loop. */
export function readBytes(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return bytes.subarray(0, done)
}

/** Files that are opened when something is read from them. */
export class OpenFiles {
  readonly #fds = new Map<string, number>()

  read(path: string, offset: number, length: number): Buffer {
    let fd = this.#fds.get(path)
    if (fd === undefined) this.#fds.set(path, (fd = openSync(path, 'r')))
    return readBytes(fd, offset, length)
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd)
    this.#fds.clear()
  }
}
