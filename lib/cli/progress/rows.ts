import type { State, StateType } from '../../core/state.js'
import { type Colors, colorOf, span } from '../print.js'
import type { FlowLine, TaskLine, Voice } from './board.js'
import type { Row } from './choose.js'
import { endedOf, failuresOf, type Place, type Tally, totalOf } from './facts.js'
import type { Piece } from './pieces.js'
import { fitted, plain } from './width.js'

/** How many columns the parts of a line have that stand below each other. */
export interface Grid {
  /** The indent and the label; the sign before it is not counted. */
  readonly label: number
  readonly bar: number
  readonly counts: number
}

/** What the line of a row is made of. */
export function piecesOf(row: Row, grid: Grid, now: number, palette: Colors): Piece[] {
  const indent = indentOf(row)
  const label = { text: fitted(labelOf(row), Math.max(4, grid.label - indent.length)) }
  switch (row.kind) {
    case 'flow':
      return [...signOf(row.flow.run.state, indent, now, palette), label, ...flowPieces(row.flow, now, palette)]
    case 'task':
      return [{ text: `${indent}  `, gap: 0 }, label, ...taskPieces(row.task, grid, now, palette)]
    case 'voice':
      return [{ text: `${indent}  `, gap: 0 }, label, ...voicePieces(row.voice, grid, palette)]
  }
}

export function indentOf({ depth }: Row): string {
  return '  '.repeat(Math.min(depth, 8))
}

export function labelOf(row: Row): string {
  if (row.kind === 'flow') return row.flow.label
  return row.kind === 'task' ? row.task.label : row.voice.label
}

/** `750/1000`: how many have settled of those that there are. */
export function countsOf(row: Row): string {
  if (row.kind === 'voice') return percentOf(row.voice)
  return row.kind === 'task' ? `${endedOf(row.task.tally)}/${totalOf(row.task.tally)}` : ''
}

// --- a flow run

function signOf({ type }: State, indent: string, now: number, palette: Colors): Piece[] {
  const sign = signs[type] ?? spinner[Math.floor(now / spinnerMs) % spinner.length]!
  return [
    { text: indent, gap: 0 },
    { text: sign, paint: colorOf(type, palette), gap: 1 },
  ]
}

const spinnerMs = 100
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const signs: Partial<Record<StateType, string>> = {
  COMPLETED: '✔',
  FAILED: '✖',
  CRASHED: '✖',
  CANCELLED: '■',
  PENDING: '·',
}

function flowPieces({ run, tally }: FlowLine, now: number, palette: Colors): Piece[] {
  const { state, startTime, endTime } = run
  const time = startTime === undefined ? '' : span(Math.max(0, (endTime ?? now) - startTime))
  const isTold = told.has(state.name)
  return [
    { text: isTold ? '' : state.name, paint: colorOf(state.type, palette), keep: 9 },
    { text: time, paint: palette.dim, keep: 8 },
    ...(isTold ? placePieces(tally, ['failed', 'crashed'], palette) : []),
    { text: isTold ? '' : plain(state.message ?? ''), paint: palette.dim, keep: 0, isCut: true },
  ]
}

/** The sign says it already. */
const told: ReadonlySet<string> = new Set(['Running', 'Completed', 'Pending'])

// --- a task

function taskPieces(task: TaskLine, grid: Grid, now: number, palette: Colors): Piece[] {
  const { tally } = task
  const { perSecond, leftMs } = paceOf(task, now)
  return [
    ...barOf(tally, grid.bar, palette),
    { text: `${endedOf(tally)}/${totalOf(tally)}`.padStart(grid.counts) },
    ...placePieces(tally, ['failed', 'crashed', 'running', 'cancelled', 'notReady', 'cached'], palette),
    { text: tally.retries > 0 ? plural(tally.retries, 'retry', 'retries') : '', paint: palette.yellow, keep: 4 },
    { text: perSecond === undefined ? '' : rateText(perSecond), paint: palette.dim, keep: 6 },
    { text: leftMs === undefined ? '' : `~${roughly(leftMs)} left`, paint: palette.dim, keep: 7 },
  ]
}

type Paint = (palette: Colors) => (text: string) => string

/** In words, with their colours, and how much they matter where there is no room. */
const places: Readonly<Record<Exclude<Place, 'waiting' | 'completed'>, readonly [string, Paint, number]>> = {
  failed: ['failed', ({ red }) => red, 9],
  crashed: ['crashed', ({ magenta }) => magenta, 9],
  running: ['running', ({ cyan }) => cyan, 5],
  cancelled: ['cancelled', ({ yellow }) => yellow, 3],
  notReady: ['not ready', ({ yellow }) => yellow, 3],
  cached: ['cached', ({ green }) => green, 2],
}

function placePieces(tally: Tally, which: readonly (keyof typeof places)[], palette: Colors): Piece[] {
  return which.map(place => {
    const [word, paint, keep] = places[place]
    return { text: tally[place] > 0 ? `${tally[place]} ${word}` : '', paint: paint(palette), keep }
  })
}

/** Each kind has its share of the bar: first what went well, then what did not, then what runs. */
function barOf(tally: Tally, width: number, palette: Colors): Piece[] {
  const total = totalOf(tally)
  const at = (count: number) => (total === 0 ? 0 : Math.round((count / total) * width))
  const good = tally.completed + tally.cached
  const ended = endedOf(tally)
  const ends = [at(good), at(ended - failuresOf(tally)), at(ended), at(ended + tally.running), width]
  const looks = [
    ['█', palette.green],
    ['█', palette.yellow],
    ['█', palette.red],
    ['▒', palette.cyan],
    ['░', palette.dim],
  ] as const
  const parts = looks.map(([block, paint], index) => {
    return { text: block.repeat(ends[index]! - (ends[index - 1] ?? 0)), paint, gap: 0 }
  })
  return width > 0 ? [...parts, { text: ' ', gap: 1 }] : []
}

// --- rate and time left

/** How fast calls end, and how long those that wait will take, as far as that can be told. */
export function paceOf({ tally, rate, firstNewAt, lastNewAt }: TaskLine, now: number) {
  const left = tally.waiting + tally.running
  const perSecond = left > 0 ? rate.perSecond(now) : undefined
  const isWhole = now - lastNewAt >= Math.max(quietMs, (lastNewAt - (firstNewAt ?? lastNewAt)) / 2)
  return { perSecond, leftMs: perSecond !== undefined && isWhole ? (left / perSecond) * 1000 : undefined }
}

/**
 * Nobody knows how many calls a flow will make. Where it has made none for this long, and for half as long as it made
 * them, there will hardly be more: only then is a time told.
 */
const quietMs = 3000

function rateText(perSecond: number): string {
  if (perSecond >= 10) return `${Math.round(perSecond)}/s`
  if (perSecond >= 1) return `${perSecond.toFixed(1)}/s`
  return `${Math.round(perSecond * 60)}/min`
}

function roughly(ms: number): string {
  return ms < 59_500 ? `${Math.max(1, Math.round(ms / 1000))} s` : span(ms)
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

// --- a task that says how far it is

function voicePieces({ fraction, note }: Voice, grid: Grid, palette: Colors): Piece[] {
  const filled = Math.floor(fraction * grid.bar)
  return [
    { text: '█'.repeat(filled), paint: palette.cyan, gap: 0 },
    { text: '░'.repeat(grid.bar - filled), paint: palette.dim, gap: 0 },
    { text: grid.bar > 0 ? ' ' : '', gap: 1 },
    { text: percentOf({ fraction }).padStart(grid.counts) },
    { text: plain(note ?? ''), paint: palette.dim, keep: 1, isCut: true },
  ]
}

function percentOf({ fraction }: Pick<Voice, 'fraction'>): string {
  return `${Math.floor(fraction * 100)} %`.padStart('100 %'.length)
}
