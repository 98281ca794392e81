import { stripVTControlCharacters } from 'node:util'
import colors from 'picocolors'
import type { State } from '../core/state.js'

export type Colors = ReturnType<typeof colors.createColors>

/** What could not be done, in a sentence; its cause is shown as it was thrown. */
export class Failure extends Error {}

/** Colours for a stream: those of a terminal, unless NO_COLOR or FORCE_COLOR says otherwise. */
export function colorsOf(stream: NodeJS.WriteStream): Colors {
  // A boolean, whatever happens: left undefined, it would be picocolors' own guess, which is yes wherever CI is set.
  return colors.createColors(hasColors(stream.isTTY === true, process.env))
}

/** NO_COLOR comes first, if it is not empty; then FORCE_COLOR, which `0` and `false` make the same. */
export function hasColors(isTerminal: boolean, { NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (NO_COLOR) return false
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return isTerminal && TERM !== 'dumb'
}

/** How many columns there are to fill: COLUMNS, else those of the terminal; a pipe or a file has no limit. */
export function widthOf(stream: NodeJS.WriteStream): number {
  const asked = Number(process.env['COLUMNS'])
  if (Number.isInteger(asked) && asked > 0) return asked
  return stream.isTTY ? (stream.columns ?? 80) : Number.POSITIVE_INFINITY
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, undefined, 2))
}

/** A user's text on one line: nothing in it can move the cursor or colour the terminal. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

/** A user's text of several lines, for the terminal. */
export function cleanLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map(line => clean(line.replaceAll('\t', '    ')))
    .join('\n')
}

export function coloredState({ type, name }: Pick<State, 'type' | 'name'>, palette: Colors, note = ''): string {
  return colorOf(type, palette)(name + note)
}

/** Said of a run whose process has died, until the store is opened for writing: then it becomes CRASHED. */
export function ownerNote({ ownerGone }: { readonly ownerGone?: true | undefined }): string {
  return ownerGone ? ' (owner gone)' : ''
}

export function colorOf(type: State['type'], { green, red, yellow, cyan, magenta, dim }: Colors) {
  const byType = {
    COMPLETED: green,
    FAILED: red,
    CRASHED: magenta,
    CANCELLED: yellow,
    RUNNING: cyan,
    SCHEDULED: yellow,
    PENDING: dim,
  }
  return byType[type]
}

/** `3 minutes ago`, `in 2 hours`. */
export function ago(at: number, now = Date.now()): string {
  const seconds = Math.round(Math.abs(now - at) / 1000)
  if (seconds < 1) return 'now'
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, 'second']
  const count = Math.floor(seconds / size)
  const span = `${count} ${unit}${count === 1 ? '' : 's'}`
  return at > now ? `in ${span}` : `${span} ago`
}

const units = [
  [31_536_000, 'year'],
  [2_592_000, 'month'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const

/** `35 ms`, `2.1 s`, `3 m 20 s`, `5 h 2 m`. */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`
}

/** From the first start of a run to its end, or to now. */
export function durationOf(run: { readonly startTime?: number | undefined; readonly endTime?: number | undefined }) {
  return run.startTime === undefined ? '' : span((run.endTime ?? Date.now()) - run.startTime)
}

/** Local time, as `2026-10-01 12:00:00.000`. */
export function clock(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 23).replace('T', ' ')
}
