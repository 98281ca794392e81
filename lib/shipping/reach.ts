import type { Definition } from './definitions.js'
import { setUpsOf } from './set-ups.js'
import { type Binding, type Reference, referencesIn, type Source, type Unit } from './source.js'
import { isWithin, type Node, type Range } from './syntax.js'

/** Everything that the function of a task reaches, and what is known while that is judged. */
export interface Reach {
  readonly source: Source
  readonly task: Definition
  readonly name: string
  readonly root: Node
  /** Undefined: nobody knows, so that every name of the surroundings may be one. */
  readonly captureKeys: readonly string[] | undefined
  readonly units: ReadonlySet<Unit>
  readonly bindings: ReadonlySet<Binding>
  /** Uses of names, in the function and in the units. */
  readonly references: readonly Reference[]
  /** Whether a worker gets this use of a name. */
  carries(reference: Reference): boolean
}

export function reachOf(source: Source, task: Definition, captureKeys: readonly string[] | undefined): Reach {
  const root = task.fn!
  const units = new Set<Unit>()
  const bindings = new Set<Binding>()
  const references: Reference[] = []
  const pending: Range[] = []

  const visit = (reference: Reference) => {
    references.push(reference)
    const { binding } = reference
    if (!binding || binding.kind === 'local' || bindings.has(binding)) return
    bindings.add(binding)
    if (binding.kind !== 'import') for (const unit of binding.units) keep(unit)
  }
  const keep = (unit: Unit) => {
    if (units.has(unit)) return
    units.add(unit)
    pending.push(unit)
  }
  const settle = () => {
    for (let range = pending.pop(); range; range = pending.pop()) referencesIn(source, range).forEach(visit)
  }

  for (const reference of referencesIn(source, root)) {
    if (!isCaptured(reference, root, captureKeys)) visit(reference)
  }
  settle()
  for (let more = true; more; ) {
    const found = setUpsOf(source).filter(
      ({ unit, of, ofLanguage }) =>
        !units.has(unit) && (ofLanguage || of.some(binding => isReached(binding, bindings, units))),
    )
    for (const { unit } of found) keep(unit)
    settle()
    more = found.length > 0
  }
  const carried = new Set([...referencesIn(source, root), ...references])
  const carries = (reference: Reference) => carried.has(reference)
  return { source, task, name: task.name!, root, captureKeys, units, bindings, references, carries }
}

/** A unit that declares several names (`const { a, b } = …`) makes them all, whichever of them is used. */
function isReached(binding: Binding, bindings: ReadonlySet<Binding>, units: ReadonlySet<Unit>): boolean {
  return bindings.has(binding) || (binding.kind === 'module' && binding.units.some(unit => units.has(unit)))
}

/** Whether a name in the function of a task is given by `captures`. */
export function isCaptured({ name, binding }: Reference, root: Range, captureKeys: readonly string[] | undefined) {
  if (!binding || isWithin(binding.scope, root)) return false
  return captureKeys ? captureKeys.includes(name) : binding.kind === 'local'
}
