import type { ComparedCall, Match } from './done-runs.js'
import type { Life } from './life.js'
import type { FlowLife } from './run-flow.js'

/** How often is looked whether a flow run still goes on, and how often in a row it has to be found at rest. */
const everyMs = 50
const inARow = 10
/** If a subflow's body is under way: it may wait for a call that is on hold, or for something else. */
const inARowWithBodies = 40

interface Held {
  readonly call: ComparedCall
  readonly life: Life
  readonly resolve: (match: Match | undefined) => void
}

/**
 * Calls of a flow run that continues another one, and may not do other things than that. One that is not known, while
 * something of its task is left that nobody has asked for, waits: order varies, and what is left may be asked for yet.
 * When nothing else goes on, and something is still left, the code does other things, and nothing has run twice.
 */
export class CallsOnHold {
  readonly #flow: FlowLife
  readonly #held = new Map<Life, Held>()
  readonly #byTask = new Map<string, Set<Held>>()
  #isWatching = false
  #seen = ''
  #times = 0

  constructor(flow: FlowLife) {
    this.#flow = flow
  }

  /** What the call of a run is: at once, nearly always. `undefined`: the run has ended while it was on hold. */
  match(call: ComparedCall, life: Life): Match | Promise<Match | undefined> {
    const match = this.#flow.done.match(call)
    if (match.type === 'known') this.#release(call.taskKey)
    if (match.type !== 'on hold') return match
    return new Promise(resolve => {
      this.#hold({ call, life, resolve })
      this.#watch()
    })
  }

  has(life: Life): boolean {
    return this.#held.has(life)
  }

  #hold(held: Held): void {
    const { taskKey } = held.call
    this.#held.set(held.life, held)
    const ofTask = this.#byTask.get(taskKey)
    if (ofTask) ofTask.add(held)
    else this.#byTask.set(taskKey, new Set([held]))
  }

  /** Lets the calls of a task go on if nothing of it is left. */
  #release(taskKey: string): void {
    const ofTask = this.#byTask.get(taskKey)
    if (!ofTask || this.#flow.done.hasLeft(taskKey)) return
    this.#byTask.delete(taskKey)
    for (const held of ofTask) this.#end(held)
  }

  #end(held: Held): void {
    this.#held.delete(held.life)
    this.#byTask.get(held.call.taskKey)?.delete(held)
    held.resolve(held.life.settled ? undefined : this.#flow.done.match(held.call, true))
  }

  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#flow.engine.surroundings.timer(everyMs, () => {
      this.#isWatching = false
      this.#look()
    })
  }

  #look(): void {
    for (const held of this.#held.values()) if (held.life.settled) this.#end(held)
    for (const taskKey of this.#byTask.keys()) this.#release(taskKey)
    if (this.#held.size === 0) return
    const { children, done } = this.#flow
    const seen = `${children.count} ${children.open} ${done.taken}`
    const open = children.lives.filter(life => life.settled === undefined)
    const isAtRest = open.every(life => life.isResting)
    this.#times = isAtRest && seen === this.#seen ? this.#times + 1 : 0
    this.#seen = seen
    const hasBodies = open.some(({ record }) => record.kind === 'flow-run' && record.state.type === 'RUNNING')
    if (this.#times >= (hasBodies ? inARowWithBodies : inARow))
      this.#flow.diverge([...this.#held.values()].map(({ call }) => call))
    this.#watch()
  }
}
