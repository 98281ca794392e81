import type { GraphTask, WireAnnotations } from './graph.js'

/** Tasks that share their annotations: as many as go in one graph. */
export interface Parcel {
  readonly annotations: WireAnnotations
  readonly tasks: readonly GraphTask[]
}

// Opening a graph costs a scheduler one to two milliseconds; a graph of many keeps it from its other work.
const largestGraph = 1000
const heaviestGraphBytes = 32 * 1024 * 1024

/**
 * Gathers what is submitted in one turn of the event loop into as few graphs as can be. A task never goes before one that
 * it depends on: the scheduler would cancel all of its graph.
 */
export class Outbox {
  private readonly send: (parcel: Parcel) => void
  private graphs: Graph[] = []
  /** The latest graph by its annotations, and the graph of each key, by number. */
  private readonly latest = new Map<string, number>()
  private readonly places = new Map<string, number>()
  private isWaiting = false

  constructor(send: (parcel: Parcel) => void) {
    this.send = send
  }

  add(task: GraphTask, annotations: WireAnnotations): void {
    const text = JSON.stringify(annotations)
    let place = this.latest.get(text)
    if (place === undefined || !this.fits(task, place)) {
      place = this.graphs.push({ annotations, tasks: [], bytes: 0 }) - 1
      this.latest.set(text, place)
    }
    const graph = this.graphs[place] as Graph
    graph.tasks.push(task)
    graph.bytes += sizeOf(task)
    this.places.set(task.key, place)
    if (this.isWaiting) return
    this.isWaiting = true
    setImmediate(() => this.flush())
  }

  /** Sends what there is now. */
  flush(): void {
    const { graphs } = this
    this.isWaiting = false
    this.graphs = []
    this.latest.clear()
    this.places.clear()
    for (const graph of graphs) this.send(graph)
  }

  private fits(task: GraphTask, place: number): boolean {
    const { tasks, bytes } = this.graphs[place] as Graph
    if (tasks.length >= largestGraph || bytes + sizeOf(task) > heaviestGraphBytes) return false
    return task.call.deps.every(key => (this.places.get(key) ?? 0) <= place)
  }
}

interface Graph extends Parcel {
  readonly tasks: GraphTask[]
  bytes: number
}

function sizeOf({ call }: GraphTask): number {
  return call.type === 'node' ? call.payload.length : call.pickle.length
}
