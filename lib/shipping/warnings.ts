import { isBuiltin } from 'node:module'
import { dirname } from 'node:path'
import { definitionOf, isMintaka } from './definitions.js'
import type { Reach } from './reach.js'
import { type Binding, type Reference, referencesIn, type Source, type Unit } from './source.js'
import { isWithin, memberName, type Node, rootOf, runsAtLoad, untyped } from './syntax.js'
import { callOn, changesIn, escapes, isUnchangeable, type Touch, touchOf } from './touch.js'

/** What may make a worker see other values than the main thread does, but need not: each a sentence with its place. */
export function warningsOf(reach: Reach): string[] {
  return [
    ...new Set([...droppedLines(reach), ...droppedSetUps(reach), ...changesElsewhere(reach), ...changesThere(reach)]),
  ]
}

function place({ source }: Reach, position: number): string {
  return `${source.label}:${source.lines.lineOf(position)}`
}

const statements =
  /^(Expression|If|For|ForOf|ForIn|While|DoWhile|Try|Block|Switch|Labeled)Statement$|^(Call|Assignment|Await)Expression$/

function droppedUnits({ source, units }: Reach): Unit[] {
  return source.units.filter(unit => !units.has(unit) && statements.test(unit.node.type))
}

/** `fill(map)` at the top level, or `const off = registry.add(x)`. */
function droppedLines(reach: Reach): string[] {
  const { source, name } = reach
  return [...droppedUnits(reach), ...registrations(reach)].flatMap(unit => {
    const reference = isCallOfDefinition(unit, reach)
      ? undefined
      : referencesIn(source, unit).find(({ node, binding }) => binding && mayBeFilled(binding, node, reach))
    if (!reference) return []
    return (
      `${place(reach, unit.start)} runs at the top level and uses '${reference.name}', which task '${name}' uses too; ` +
      `a worker does not run that line. Build '${reference.name}' in its declaration or in a function that declares it.`
    )
  })
}

/** Dropped declarations that, by the word, also put something into what they call. */
function registrations({ source, units }: Reach): Unit[] {
  return source.units.filter(unit => {
    const call = unit.node.type === 'VariableDeclarator' && unit.node.init ? untyped(unit.node.init) : undefined
    if (units.has(unit) || call?.type !== 'CallExpression') return false
    return /^(add|define|on|register|subscribe|use)/.test(memberName(untyped(call.callee)) ?? '')
  })
}

function mayBeFilled(binding: Binding, node: Node, { source, bindings }: Reach): boolean {
  if (binding.kind !== 'module' || !bindings.has(binding) || isUnchangeable(binding)) return false
  if (definitionOf(source, binding) || source.definitions.some(({ call }) => isWithin(node, call))) return false
  const isHarmless = (callee: Node) => isConsole(callee) || isDefined(callee, source)
  return runsAtLoad(node) && escapes(node, isHarmless)
}

function isCallOfDefinition({ node }: Unit, { source }: Reach): boolean {
  const root = rootOf(node.type === 'ExpressionStatement' ? untyped(node.expression) : node)
  return root !== undefined && isDefined(root, source)
}

/** Whether a name holds a task or flow of this file. */
function isDefined(identifier: Node, source: Source): boolean {
  const binding = source.bindingOf(identifier)
  return binding !== undefined && definitionOf(source, binding) !== undefined
}

function isConsole(identifier: Node): boolean {
  return identifier.type === 'Identifier' && identifier.name === 'console'
}

/** `init(url)` or `settings.url = url` at the top level, from a module of which the task uses something too. */
function droppedSetUps(reach: Reach): string[] {
  const { source, bindings, name } = reach
  const modules = new Set(
    [...bindings].flatMap(({ from }) => (from && !isStateless(from, dirname(source.file)) ? [from] : [])),
  )
  return droppedUnits(reach).flatMap(unit => {
    const root = unit.node.type === 'ExpressionStatement' ? rootOf(untyped(unit.node.expression)) : undefined
    const called = root && callOn(root) ? source.bindingOf(root) : undefined
    const { from } = called ?? changedImport(unit, reach) ?? {}
    if (!from || !modules.has(from)) return []
    return (
      `${place(reach, unit.start)} runs at the top level and ${called ? 'calls' : 'changes'} something of '${from}', ` +
      `which task '${name}' uses too; a worker does not run that line. If it prepares '${from}', do that in the ` +
      'module itself or in the task.'
    )
  })
}

function changedImport(unit: Unit, { source, bindings }: Reach): Binding | undefined {
  const changed = changesIn(source).find(
    use => use.binding?.from && !bindings.has(use.binding) && isWithin(use, unit) && runsAtLoad(use.node),
  )
  return changed?.binding
}

function isStateless(specifier: string, folder: string): boolean {
  return isBuiltin(specifier) || isMintaka(specifier, folder)
}

/** `settings.level = 2` in a flow, where `settings` is imported; `state.items.push(1)` in a flow. */
function changesElsewhere(reach: Reach): string[] {
  const { source, bindings, name, carries } = reach
  return changesIn(source).flatMap(reference => {
    const { binding, start } = reference
    if (!binding || binding.kind === 'local' || !bindings.has(binding) || carries(reference)) return []
    if (touchOf(reference) !== 'perhaps' && binding.kind !== 'import') return []
    return (
      `${place(reach, start)} changes '${reference.name}', which task '${name}' uses too; ` +
      'a worker has its own, which stays as it was. Pass what the task needs as an argument.'
    )
  })
}

/** `total += x` in the task, where a flow reads `total`. */
function changesThere(reach: Reach): string[] {
  const { source, references, name } = reach
  const changed = new Set(references.filter(isLasting).map(({ binding }) => binding))
  if (changed.size === 0) return []
  const told = new Set<Binding>()
  return source.references.flatMap(reference => {
    const { binding, start } = reference
    if (!binding || !changed.has(binding) || told.has(binding) || !isReadOutside(reference, reach)) return []
    told.add(binding)
    return (
      `${place(reach, start)} reads '${reference.name}', which task '${name}' changes; ` +
      'what a worker changes stays in that worker. Return the value instead.'
    )
  })
}

const lasting: readonly Touch[] = ['assigned', 'changed', 'perhaps']

/** Whether running the task again and again changes a variable of the module. */
function isLasting(reference: Reference): boolean {
  const { binding, node, isInitial } = reference
  if (isInitial || (binding?.kind !== 'module' && binding?.kind !== 'export')) return false
  return !runsAtLoad(node) && lasting.includes(touchOf(reference))
}

/** Other tasks do not count: what tasks share on a worker is a cache, or so one hopes. */
function isReadOutside(reference: Reference, { source, carries }: Reach): boolean {
  const { start, isInitial } = reference
  if (isInitial || carries(reference) || touchOf(reference) === 'assigned') return false
  return !source.definitions.some(({ kind, fn }) => kind === 'task' && fn && start >= fn.start && start < fn.end)
}
