import type { State } from '../../core/state.js'
import {
  type Counting,
  emptyTally,
  endedOf,
  type FlowRunFacts,
  type Place,
  type ProgressFacts,
  placeOf,
  placesOf,
  type Tally,
  type TaskRunFacts,
  totalOf,
} from './facts.js'
import { Rate } from './rate.js'
import { plain } from './width.js'

/**
 * What is shown, as a tree: flow runs, under each its tasks by name, under a task that is a subflow its runs. Task runs are
 * counted, not kept; of flow runs that have ended the last ones are kept. It knows no terminal and reads no clock.
 */
export class Board implements ProgressFacts {
  readonly tops = new FlowGroup()
  /** All flow runs that it was told of, those that are no longer kept included. */
  readonly flowRuns = emptyTally()
  readonly #byId = new Map<string, FlowLine>()
  #flowsTold = 0
  #last: FlowLine | undefined

  flowRun(run: FlowRunFacts): void {
    const to = placeOf(run.state)
    const known = this.#byId.get(run.id)
    const flow = known ?? this.#add(run)
    if (known) this.flowRuns[known.place] -= 1
    this.flowRuns[to] += 1
    flow.run = run
    flow.place = to
    for (const dropped of flow.group.moved(flow)) this.#forget(dropped)
  }

  #add(run: FlowRunFacts): FlowLine {
    const parent = run.parentFlowRunId === undefined ? undefined : this.#byId.get(run.parentFlowRunId)
    const group = parent?.task(run.flowName).flows ?? this.tops
    const flow = new FlowLine(run, group, this.#flowsTold++)
    this.#byId.set(run.id, flow)
    return flow
  }

  #forget(flow: FlowLine): void {
    this.#byId.delete(flow.run.id)
    if (this.#last === flow) this.#last = undefined
    for (const { flows } of flow.tasks.values()) for (const each of flows) this.#forget(each)
  }

  taskRun(run: TaskRunFacts, from: State | undefined, to: State, at: number): void {
    const task = this.#flowOf(run)?.task(run.taskName)
    if (!task) return
    const place = placeOf(to)
    if (task.voices.size > 0 && place !== 'running') task.voices.delete(run.id)
    if (to.name === 'AwaitingRetry') task.tally.retries += 1
    const before = from && placeOf(from)
    if (before === place) return
    task.move(before, place, at)
  }

  /** Thousands of calls come from one flow run in a row. */
  #flowOf({ flowRunId }: TaskRunFacts): FlowLine | undefined {
    if (this.#last?.run.id !== flowRunId) this.#last = this.#byId.get(flowRunId)
    return this.#last
  }

  tally(flowRunId: string, taskName: string, tally: Tally, at: number): void {
    this.#byId.get(flowRunId)?.task(taskName).become(tally, at)
  }

  taskProgress(run: TaskRunFacts, fraction: number, note: string | undefined): void {
    if (placeOf(run.state) !== 'running') return // it was said on a thread, and has come too late
    const voices = this.#byId.get(run.flowRunId)?.task(run.taskName).voices
    voices?.set(run.id, { label: plain(run.name), fraction: Math.min(1, Math.max(0, fraction)) || 0, note })
  }
}

/** A flow run, and what it has called. */
export class FlowLine {
  run: FlowRunFacts
  place: Place
  /** What it is shown as. */
  readonly label: string
  readonly group: FlowGroup
  /** Those that were told of earlier have lower ones. */
  readonly order: number
  readonly tasks = new Map<string, TaskLine>()

  constructor(run: FlowRunFacts, group: FlowGroup, order: number) {
    this.run = run
    this.place = placeOf(run.state)
    this.label = plain(`${run.flowName} ${run.name}`)
    this.group = group
    this.order = order
  }

  task(name: string): TaskLine {
    const known = this.tasks.get(name)
    if (known) return known
    if (this.tasks.size > maxNames) return this.tasks.get(others)!
    const key = this.tasks.size === maxNames ? others : name
    const task = new TaskLine(key)
    this.tasks.set(key, task)
    return task
  }

  /** Of all that it has called. */
  get tally(): Tally {
    const sum = emptyTally()
    for (const { tally } of this.tasks.values()) for (const place of placesOf(sum)) sum[place] += tally[place]
    return sum
  }
}

/** So many names of a flow run have a line; who makes a name per call gets the rest counted as one. */
const maxNames = 200
const others = 'other tasks'

/** All calls of one name in a flow run. */
export class TaskLine {
  readonly label: string
  readonly tally: Counting = emptyTally()
  /** How fast they end. */
  readonly rate = new Rate()
  /** When the first one and the last one were made. */
  firstNewAt: number | undefined
  lastNewAt = 0
  /** Of those that run, what they say of themselves, by id. */
  readonly voices = new Map<string, Voice>()
  /** If they are subflows: their runs. */
  readonly flows = new FlowGroup()

  constructor(name: string) {
    this.label = plain(name)
  }

  move(from: Place | undefined, to: Place, at: number): void {
    if (from && this.tally[from] > 0) this.tally[from] -= 1
    else this.#grew(at) // a new one, or one that began before anybody looked
    this.tally[to] += 1
    if (to === 'waiting') return
    if (to === 'running') this.rate.begin(at)
    else this.rate.add(1, at)
  }

  become(tally: Tally, at: number): void {
    const ended = endedOf(tally) - endedOf(this.tally)
    if (totalOf(tally) > totalOf(this.tally)) this.#grew(at)
    Object.assign(this.tally, tally)
    if (tally.running > 0) this.rate.begin(at)
    if (ended > 0) this.rate.add(ended, at)
  }

  #grew(at: number): void {
    this.firstNewAt = Math.min(at, this.firstNewAt ?? at)
    this.lastNewAt = Math.max(at, this.lastNewAt)
  }
}

/** What a running task says of itself. */
export interface Voice {
  readonly label: string
  /** From 0 to 1. */
  readonly fraction: number
  readonly note: string | undefined
}

/** Flow runs side by side. */
export class FlowGroup implements Iterable<FlowLine> {
  readonly #live = new Set<FlowLine>()
  readonly #failed: FlowLine[] = []
  readonly #done: FlowLine[] = []
  /** How many there have been. */
  count = 0

  /** Takes a flow run to where it belongs now. Gives those that are not kept any more. */
  moved(flow: FlowLine): FlowLine[] {
    const isLive = flow.place === 'waiting' || flow.place === 'running'
    if (isLive) {
      if (!this.#live.has(flow)) this.count += 1
      this.#live.add(flow)
      return []
    }
    if (!this.#live.delete(flow)) this.count += 1
    const ended = flow.place === 'failed' || flow.place === 'crashed' ? this.#failed : this.#done
    ended.push(flow)
    return ended.length > maxKept ? ended.splice(0, 1) : []
  }

  /** So many of each kind as anybody could want to see, in the order in which they began. */
  *[Symbol.iterator](): Iterator<FlowLine> {
    const live: FlowLine[] = []
    for (const flow of this.#live) {
      if (live.length === maxKept) break
      live.push(flow)
    }
    yield* [...live, ...this.#failed, ...this.#done].sort((a, b) => a.order - b.order)
  }
}

/** No screen has more lines. */
const maxKept = 100
