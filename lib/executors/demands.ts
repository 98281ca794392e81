import { MintakaError } from '../core/errors.js'
import type { Call } from '../core/executor.js'
import { type Amount, type Demand, demand, limitName, type Offer } from '../threads/admission.js'

/** Says what calls take while they run, of what an executor offers. */
export class Demands {
  private readonly resources: Readonly<Record<string, number>>
  private readonly tags: ReadonlySet<string>

  constructor({ resources = {}, limits = {} }: Offer) {
    this.resources = resources
    this.tags = new Set(Object.keys(limits))
  }

  /** What a call takes; nothing for most. Throws RESOURCES_UNAVAILABLE if it wants what there will never be. */
  of({ task, tags, annotations }: Pick<Call, 'task' | 'tags' | 'annotations'>): Demand | undefined {
    const wanted = annotations?.resources
    const isLimited = this.tags.size > 0 && tags.length > 0
    if (!wanted && !isLimited) return undefined
    const amounts = [...(wanted ? this.ofResources(task.name, wanted) : []), ...(isLimited ? this.ofLimits(tags) : [])]
    return amounts.length > 0 ? demand(amounts) : undefined
  }

  private ofResources(taskName: string, wanted: Readonly<Record<string, number>>): Amount[] {
    const amounts = Object.entries(wanted).map(([name, amount]) => ({ name, amount }))
    const wants = amounts.filter(({ amount }) => amount > 0)
    for (const { name, amount } of wants)
      if (!(amount <= this.offered(name))) throw this.unavailable(taskName, name, amount)
    return wants
  }

  private ofLimits(tags: readonly string[]): Amount[] {
    const limited = new Set(tags.filter(tag => this.tags.has(tag)))
    return [...limited].map(tag => ({ name: limitName(tag), amount: 1 }))
  }

  private offered(name: string): number {
    return Object.hasOwn(this.resources, name) ? (this.resources[name] as number) : 0
  }

  private unavailable(task: string, resource: string, amount: number): MintakaError {
    const all = Object.entries(this.resources).map(([name, total]) => `${total} ${name}`)
    const offers = all.length > 0 ? all.join(', ') : 'no resources'
    const text =
      `Task '${task}' takes ${amount} ${resource}, and its ParallelExecutor offers ${offers}: it could never run. ` +
      `Say what there is, new ParallelExecutor({ resources: { ${keyText(resource)}: ${amount} } }), or take less.`
    return new MintakaError('RESOURCES_UNAVAILABLE', text, { task, resource, amount, offered: this.offered(resource) })
  }
}

function keyText(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
}
