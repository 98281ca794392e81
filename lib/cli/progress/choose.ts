import type { Board, FlowLine, TaskLine, Voice } from './board.js'
import { failuresOf, type Tally, totalOf } from './facts.js'

/** What one line of the tree shows. */
export type Row = { readonly depth: number; readonly parent: Row | undefined; readonly rank: number } & (
  | { readonly kind: 'flow'; readonly flow: FlowLine }
  | { readonly kind: 'task'; readonly task: TaskLine; readonly flow: FlowLine }
  | { readonly kind: 'voice'; readonly voice: Voice }
)

/** The rows that there is room for, from the top to the bottom, and what there is besides them. */
export interface Choice {
  readonly rows: readonly Row[]
  readonly hidden: Hidden
}

export interface Hidden {
  readonly running: number
  readonly failed: number
  readonly done: number
  readonly tasks: number
}

/**
 * Chooses what is shown of a board in so many lines, one of them being left for what is hidden. What has failed and what
 * runs goes first, what stands near the root before what is deep in the tree; a row is never shown without those above it.
 */
export function choose(board: Board, lines: number): Choice {
  const all: Row[] = []
  for (const flow of board.tops) addFlow(all, flow, undefined)
  if (all.length <= lines) return { rows: all, hidden: hiddenOf(board, all, all) }
  const rows = best(all, Math.max(0, lines - 1))
  return { rows, hidden: hiddenOf(board, all, rows) }
}

// --- the tree

/** Enough for any screen, however many there are. */
const maxRows = 2000

/** Of few flows that one place has called each is shown; of many, those that have completed are told by their number. */
const few = 8

function addFlow(rows: Row[], flow: FlowLine, parent: Row | undefined): void {
  if (rows.length >= maxRows) return
  const depth = parent ? parent.depth + 1 : 0
  const row: Row = { kind: 'flow', flow, depth, parent, rank: rankOfFlow(flow, depth) }
  rows.push(row)
  for (const task of flow.tasks.values()) if (isWorthwhile(task, flow, depth)) addTask(rows, task, flow, row)
}

function addTask(rows: Row[], task: TaskLine, flow: FlowLine, parent: Row): void {
  const depth = parent.depth + 1
  const isOneFlow = task.flows.count === 1 && totalOf(task.tally) <= 1
  const row: Row = isOneFlow ? parent : { kind: 'task', task, flow, depth, parent, rank: rankOfTask(task, flow, depth) }
  if (!isOneFlow) rows.push(row)
  for (const voice of task.voices.values()) {
    if (rows.length >= maxRows) break
    rows.push({ kind: 'voice', voice, depth: depth + 1, parent: row, rank: ranks.active + depth + 0.5 })
  }
  for (const each of task.flows) if (task.flows.count <= few || !isDone(each)) addFlow(rows, each, row)
}

/** Of a subflow run that has ended, only what went wrong is still of interest. */
function isWorthwhile(task: TaskLine, flow: FlowLine, depth: number): boolean {
  return depth === 0 || isLive(flow) || failuresOf(task.tally) > 0
}

// --- what matters most

const ranks = { failed: 1, active: 2, moreFailed: 1000, ended: 1001 } as const

function rankOfFlow(flow: FlowLine, depth: number): number {
  if (isFailed(flow)) return ranks.failed
  return isLive(flow) ? ranks.active + depth : ranks.ended + depth
}

function rankOfTask({ tally }: TaskLine, flow: FlowLine, depth: number): number {
  if (failuresOf(tally) > 0) return ranks.failed
  return isLive(flow) && isActive(tally) ? ranks.active + depth : ranks.ended + depth
}

function isActive({ waiting, running }: Tally): boolean {
  return waiting + running > 0
}

function isLive({ place }: FlowLine): boolean {
  return place === 'waiting' || place === 'running'
}

function isFailed({ place }: FlowLine): boolean {
  return place === 'failed' || place === 'crashed'
}

function isDone(flow: FlowLine): boolean {
  return !isLive(flow) && !isFailed(flow)
}

// --- the choice

function best(all: readonly Row[], room: number): Row[] {
  const chosen = new Set<Row>()
  for (const row of byRank(all, room)) {
    if (chosen.size >= room) break
    const needed = pathTo(row).filter(each => !chosen.has(each))
    if (chosen.size + needed.length <= room) for (const each of needed) chosen.add(each)
  }
  return all.filter(row => chosen.has(row))
}

/** Failures have a third of the room at first: what goes on shall be seen besides them. */
function byRank(all: readonly Row[], room: number): Row[] {
  const failed = all.filter(({ rank }) => rank === ranks.failed)
  const later = new Set(failed.slice(Math.ceil(room / 3)))
  const rankOf = (row: Row) => (later.has(row) ? ranks.moreFailed : row.rank)
  return [...all].sort((a, b) => rankOf(a) - rankOf(b))
}

function pathTo(row: Row): Row[] {
  return row.parent ? [...pathTo(row.parent), row] : [row]
}

function hiddenOf(board: Board, all: readonly Row[], shown: readonly Row[]): Hidden {
  const { flowRuns } = board
  const shownFlows = shown.flatMap(row => (row.kind === 'flow' ? [row.flow] : []))
  const allFlows = all.flatMap(row => (row.kind === 'flow' ? [row.flow] : []))
  const count = (flows: readonly FlowLine[], is: (flow: FlowLine) => boolean) => flows.filter(is).length
  const tasks = (rows: readonly Row[]) => rows.filter(row => row.kind === 'task').length
  return {
    running: flowRuns.waiting + flowRuns.running - count(shownFlows, isLive),
    failed: failuresOf(flowRuns) - count(shownFlows, isFailed),
    done: count(allFlows, isDone) - count(shownFlows, isDone), // others are told by the line of what they are calls of
    tasks: tasks(all) - tasks(shown),
  }
}
