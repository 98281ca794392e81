/** Calls of one task or subflow, by its name: how many, and some of them. */
export interface CallGroup {
  /** The name of the task or subflow. */
  readonly taskName: string
  /** How many calls. */
  readonly count: number
  /** The first few, by the name of the run and what it was called with. */
  readonly examples: readonly { readonly name: string; readonly inputs?: string | undefined }[]
}

/** How the calls of a flow run differ from those of the run that it continues. */
export interface DivergenceReport {
  /** Whether something that had completed was not asked for: the code does other things than it did. */
  readonly diverged: boolean
  /** Had completed, and was not asked for. */
  readonly notAskedFor: readonly CallGroup[]
  /** Was called, and was not known: new, changed, or never reached before. */
  readonly notKnown: readonly CallGroup[]
  /** Was called again, because it had not completed then, or its result was not there to be taken over. */
  readonly ranAgain: readonly CallGroup[]
  /** Was taken over, without running. */
  readonly reused: readonly CallGroup[]
}

/** How many calls of a group are named. */
export const maxExamples = 5

/** Collects calls by the name of what was called. */
export class CallGroups {
  readonly #groups = new Map<
    string,
    { count: number; readonly examples: { name: string; inputs?: string | undefined }[] }
  >()

  get size(): number {
    return this.#groups.size
  }

  /** `example` is asked only while there are few. */
  add(
    taskName: string,
    example?: () => { readonly name: string; readonly inputs?: string | undefined },
    count = 1,
  ): void {
    let group = this.#groups.get(taskName)
    if (!group) this.#groups.set(taskName, (group = { count: 0, examples: [] }))
    group.count += count
    if (example && group.examples.length < maxExamples) group.examples.push(example())
  }

  toData(): CallGroup[] {
    return [...this.#groups].map(([taskName, { count, examples }]) => ({ taskName, count, examples }))
  }
}

/** All of them in one sentence. */
export function describeGroups(groups: readonly CallGroup[]): string {
  return groups.map(describeGroup).join('; ')
}

/** `load ×3: load-3f9c21d0-0 ("a"), …` */
export function describeGroup({ taskName, count, examples }: CallGroup): string {
  const times = count > 1 ? ` ×${count}` : ''
  if (examples.length === 0) return `${taskName}${times}`
  const named = examples.map(({ name, inputs }) => (inputs === undefined ? name : `${name} (${inputs})`))
  return `${taskName}${times}: ${named.join(', ')}${count > examples.length ? ', …' : ''}`
}
