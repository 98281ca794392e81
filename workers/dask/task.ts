/** What the scheduler wants to have computed. */
export interface Order<Spec> {
  /** What is to be done: nothing that the machine would look at. */
  readonly spec: Spec
  /** Echoed with the result, so that the scheduler knows which of its orders it belongs to; older ones give none. */
  readonly runId: number | undefined
  /** Compared number by number; lower comes first. */
  readonly priority: readonly number[]
  /** What it takes of the worker's resources while it runs. */
  readonly resources: Readonly<Record<string, number>>
  /** Whether it occupies a thread: what is done in an instant needs none, and waits for none. */
  readonly threads: 0 | 1
  /** The keys whose values it needs. */
  readonly dependencies: readonly string[]
}

/** A key, as the worker sees it. It is in exactly one of these states; a key that is in none is not known. */
export type Task<Spec> = Ordered<Spec> | Wanted | Memory

/** It is to be computed here. */
export type Ordered<Spec> = Waiting<Spec> | Ready<Spec> | Executing<Spec>

/** Its value is to come from another worker. */
export type Wanted = Fetch | Flight | Missing

export interface Waiting<Spec> {
  readonly type: 'waiting'
  readonly order: Order<Spec>
  /** The dependencies that are not in memory. With none, it waits for an earlier run of the same key to end. */
  readonly missing: Set<string>
}

export interface Ready<Spec> {
  readonly type: 'ready'
  readonly order: Order<Spec>
}

export interface Executing<Spec> {
  readonly type: 'executing'
  readonly order: Order<Spec>
  /** The number of its run: a key may be ordered again while an earlier run of it has not ended. */
  readonly run: number
}

interface Whereabouts {
  /** The workers that are said to have it. */
  readonly peers: ReadonlySet<string>
  /** How large it is said to be. */
  readonly nbytes: number
  /** That of the most urgent task that needs it. */
  readonly priority: readonly number[]
  /** The scheduler wants a copy to be here, whoever needs it. */
  readonly isReplica: boolean
  /** The scheduler has been asked who has it, and shall not be asked again for a while. */
  readonly hasAsked: boolean
}

/** One of its peers will be asked for it. */
export interface Fetch extends Whereabouts {
  readonly type: 'fetch'
}

/** It has been asked for. */
export interface Flight extends Whereabouts {
  readonly type: 'flight'
  readonly from: string
}

/** Nobody is known to have it. */
export interface Missing extends Whereabouts {
  readonly type: 'missing'
}

/** Its value is here. */
export interface Memory {
  readonly type: 'memory'
}

export type TaskType = Task<unknown>['type']

/**
 * Which state may follow which; `forgotten` is the state of a key that is not known. Every change in the machine is one
 * cell of this table.
 */
export const transitions = {
  forgotten: ['waiting', 'fetch', 'missing', 'memory'],
  waiting: ['ready', 'memory', 'forgotten'], // memory: scattered
  ready: ['executing', 'waiting', 'memory', 'forgotten'], // waiting: a value that it needs was taken away
  executing: ['executing', 'memory', 'forgotten'], // to itself: ordered once more, with another run id
  fetch: ['flight', 'fetch', 'missing', 'memory', 'waiting', 'forgotten'], // waiting: to be computed here after all
  flight: ['memory', 'flight', 'fetch', 'missing', 'waiting', 'forgotten'],
  missing: ['fetch', 'missing', 'memory', 'waiting', 'forgotten'],
  memory: ['forgotten'],
} as const satisfies Record<TaskType | 'forgotten', readonly (TaskType | 'forgotten')[]>

export function mayFollow(from: TaskType | 'forgotten', to: TaskType | 'forgotten'): boolean {
  return (transitions[from] as readonly string[]).includes(to)
}

export function isOrdered<Spec>(task: Task<Spec> | undefined): task is Ordered<Spec> {
  return task !== undefined && 'order' in task
}

export function isWanted(task: Task<unknown> | undefined): task is Wanted {
  return task !== undefined && 'peers' in task
}
