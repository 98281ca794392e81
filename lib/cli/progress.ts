import { createLogUpdate } from 'log-update'
import type { EngineEvent } from '../core/event.js'
import type { FlowRun, TaskRun } from '../core/run.js'
import { isTerminal, type StateType } from '../core/state.js'
import type { Engine } from '../engine/engine.js'
import { formatLine } from '../engine/logger.js'
import { type Colors, clean, colorOf, colorsOf, span } from './print.js'

/** Shows on the terminal, until `end`, a line per flow run with a bar of its task runs. */
export async function showProgress(engine: Engine): Promise<{ end(): void }> {
  const board = new Board()
  const palette = colorsOf(process.stderr)
  const area = new LiveArea(({ columns, rows }) => board.lines(Date.now(), columns, rows, palette))
  const stop = engine.listen(event => {
    board.hear(event)
    // What a user logs is shown even where the lines of the engine's own are not.
    if (event.type !== 'log' || event.printed || event.entry.level !== 'info' || engine.logger.enabled('info')) return
    const { message, fields, timestamp } = event.entry
    process.stderr.write(`${formatLine('info', message, fields, timestamp)}\n`)
  })
  return {
    end() {
      stop()
      area.end()
    },
  }
}

interface Line {
  readonly run: Readonly<FlowRun>
  readonly depth: number
  readonly children: Line[]
  readonly counts: Map<StateType, number>
  total: number
}

/** What is known of the flow runs, by what the engine announces. */
export class Board {
  readonly #tops: Line[] = []
  readonly #byId = new Map<string, Line>()

  hear(event: EngineEvent): void {
    if (event.type === 'flow-run-created') this.#add(event.run)
    else if (event.type === 'task-run-created') this.#count(event.run, undefined, event.run.state.type)
    else if (event.type === 'state-changed' && event.run.kind === 'task-run')
      this.#count(event.run, event.from.type, event.to.type)
  }

  #add(run: Readonly<FlowRun>): void {
    const parent = run.parentFlowRunId === undefined ? undefined : this.#byId.get(run.parentFlowRunId)
    const line: Line = { run, depth: parent ? parent.depth + 1 : 0, children: [], counts: new Map(), total: 0 }
    const siblings = parent?.children ?? this.#tops
    siblings.push(line)
    this.#byId.set(run.id, line)
  }

  #count({ flowRunId }: Readonly<TaskRun>, from: StateType | undefined, to: StateType): void {
    const line = this.#byId.get(flowRunId)
    if (!line) return
    if (from === undefined) line.total += 1
    else line.counts.set(from, (line.counts.get(from) ?? 0) - 1)
    line.counts.set(to, (line.counts.get(to) ?? 0) + 1)
  }

  /** As many lines as there is room for: runs that go on come before runs that have ended. */
  lines(now: number, columns: number, rows: number, palette: Colors): string[] {
    const all = flattened(this.#tops)
    const room = Math.max(1, rows - 2)
    const chosen = new Set(all)
    for (const line of all) if (chosen.size > room && isTerminal(line.run.state)) chosen.delete(line)
    const shown = all.filter(line => chosen.has(line)).slice(0, room)
    const titleWidth = Math.max(...shown.map(line => indentOf(line).length + titleOf(line).length))
    const lines = shown.map(line => lineText(line, now, { columns, titleWidth }, palette))
    if (shown.length < all.length) lines.push(palette.dim(`… and ${all.length - shown.length} more flow runs`))
    return lines
  }
}

function flattened(lines: readonly Line[]): Line[] {
  return lines.flatMap(line => [line, ...flattened(line.children)])
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const signs: Partial<Record<StateType, string>> = {
  COMPLETED: '✔',
  FAILED: '✖',
  CRASHED: '✖',
  CANCELLED: '■',
  PENDING: '·',
}

interface Room {
  readonly columns: number
  readonly titleWidth: number
}

function lineText(line: Line, now: number, { columns, titleWidth }: Room, palette: Colors): string {
  const { run, counts, total } = line
  const { state, startTime, endTime } = run
  const sign = signs[state.type] ?? spinner[Math.floor(now / 80) % spinner.length]!
  const failed = (counts.get('FAILED') ?? 0) + (counts.get('CRASHED') ?? 0)
  const ended = failed + (counts.get('COMPLETED') ?? 0) + (counts.get('CANCELLED') ?? 0)
  const time = startTime === undefined ? '' : span((endTime ?? now) - startTime)
  const room = columns - 32 // the sign, the counts, the time, and what is between them
  const barWidth = Math.min(24, Math.max(6, Math.floor(room / 2)))
  const indent = indentOf(line)
  const width = Math.max(8, Math.min(titleWidth, room - barWidth)) - indent.length
  const parts = [
    colorOf(state.type, palette)(sign),
    cut(titleOf(line), width).padEnd(width),
    bar(counts, total, barWidth, palette),
    `${ended}/${total}`,
    failed > 0 ? palette.red(`${failed} failed`) : '',
    palette.dim(time),
  ]
  return indent + parts.filter(Boolean).join(' ')
}

function indentOf({ depth }: Line): string {
  return '  '.repeat(Math.min(depth, 8))
}

function titleOf({ run }: Line): string {
  return `${clean(run.flowName)} ${clean(run.name)}`
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text
}

const barOrder = ['COMPLETED', 'CANCELLED', 'FAILED', 'CRASHED', 'RUNNING', 'SCHEDULED', 'PENDING'] as const

/** Each state has its share of the bar, and the first ones begin it. */
function bar(counts: ReadonlyMap<StateType, number>, total: number, width: number, palette: Colors): string {
  let text = ''
  let done = 0
  let drawn = 0
  for (const type of barOrder) {
    done += counts.get(type) ?? 0
    const end = total === 0 ? 0 : Math.round((done / total) * width)
    const block = type === 'PENDING' || type === 'SCHEDULED' ? '░' : type === 'RUNNING' ? '▒' : '█'
    if (end > drawn) text += colorOf(type, palette)(block.repeat(end - drawn))
    drawn = end
  }
  return drawn === width ? text : text + palette.dim('░'.repeat(width - drawn))
}

type Write = typeof process.stderr.write

const redrawMs = 80

/**
 * The last lines of the terminal, drawn again and again. What is written to stdout or stderr meanwhile goes above
 * them.
 */
class LiveArea {
  readonly #draw: () => void
  readonly #timer: NodeJS.Timeout
  readonly #restore: (() => void)[] = []
  readonly #update: ReturnType<typeof createLogUpdate>
  #isDrawn = false
  /** Whether the cursor stands at the beginning of a line, where the area can begin. */
  #atLineStart = true

  constructor(lines: (room: { columns: number; rows: number }) => string[]) {
    const { stderr } = process
    const write = stderr.write.bind(stderr)
    const own = Object.create(stderr, { write: { value: write } }) as NodeJS.WriteStream
    // The cursor is left alone: hiding it would take signal handlers to bring it back.
    this.#update = createLogUpdate(own, { showCursor: true })
    this.#draw = () => {
      if (!this.#atLineStart) return
      this.#update(lines({ columns: stderr.columns || 80, rows: stderr.rows || 24 }).join('\n'))
      this.#isDrawn = true
    }
    for (const stream of [process.stdout, stderr]) if (stream.isTTY) this.#yieldTo(stream)
    this.#timer = setInterval(this.#draw, redrawMs)
    this.#timer.unref()
  }

  #yieldTo(stream: NodeJS.WriteStream): void {
    const write = stream.write
    const above = (...args: Parameters<Write>): boolean => {
      if (this.#isDrawn) this.#update.clear()
      this.#isDrawn = false
      const [chunk] = args
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      if (text !== '') this.#atLineStart = text.endsWith('\n')
      return write.apply(stream, args)
    }
    stream.write = above as Write
    this.#restore.push(() => {
      stream.write = write
    })
  }

  /** Draws once more, and leaves it there. */
  end(): void {
    clearInterval(this.#timer)
    this.#draw()
    this.#update.done()
    for (const restore of this.#restore) restore()
  }
}
