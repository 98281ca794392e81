import { definitionOf } from './definitions.js'
import { isOfLanguage } from './globals.js'
import { type Binding, type Reference, referencesIn, type Source, type Unit } from './source.js'
import { isWithin, memberName, type Node, rootOf, runsAtLoad, untyped } from './syntax.js'
import { callOn, isFunctionBinding, touchOf } from './touch.js'

/** A line of the top level that goes on building what is declared elsewhere. */
interface SetUp {
  readonly unit: Unit
  /** What it sets up. */
  readonly of: readonly Binding[]
  /** Whether it adds to the language (`BigInt.prototype.toJSON = …`), which any code may need. */
  readonly ofLanguage: boolean
}

const setUps = new WeakMap<Source, readonly SetUp[]>()

/** The lines of the top level that go on building something declared elsewhere: `cache.set(…)`, `A.prototype.x = …`. */
export function setUpsOf(source: Source): readonly SetUp[] {
  const known = setUps.get(source)
  if (known) return known
  const found = source.units
    .map(unit => ({ unit, of: setUpBy(unit, source), ofLanguage: addsToLanguage(unit, source) }))
    .filter(({ unit, of, ofLanguage }) => (of.length > 0 || ofLanguage) && !flowCallIn(source, unit))
  setUps.set(source, found)
  return found
}

function setUpBy(unit: Unit, source: Source): Binding[] {
  const statement = unit.node
  if (statement.type !== 'ExpressionStatement' && unit.statement.type !== 'ExpressionStatement') return []
  const expression = untyped(statement.type === 'ExpressionStatement' ? statement.expression : statement)
  switch (expression.type) {
    case 'AssignmentExpression':
    case 'UpdateExpression':
    case 'UnaryExpression':
      return bindingsOf(referencesIn(source, unit).filter(reference => isWritten(reference)))
    case 'CallExpression':
    case 'AwaitExpression':
    case 'ChainExpression':
      return setUpByCall(expression, source, unit)
    default:
      return []
  }
}

function addsToLanguage(unit: Unit, source: Source): boolean {
  if (unit.statement.type !== 'ExpressionStatement') return false
  return referencesIn(source, unit).some(use => !use.binding && isOfLanguage(use.name) && isWritten(use))
}

function isWritten(reference: Reference): boolean {
  const touch = touchOf(reference)
  return (touch === 'assigned' || touch === 'changed') && runsAtLoad(reference.node)
}

function setUpByCall(expression: Node, source: Source, unit: Unit): Binding[] {
  const root = rootOf(expression)
  const binding = root && source.bindingOf(root)
  if (!root || !binding) return bindingsOf(referencesIn(source, unit).filter(isWritten))
  if (isCalledItself(root) && !callSetsUp(binding, source)) return []
  return [binding]
}

function isCalledItself(root: Node): boolean {
  const call = callOn(root)
  return call?.type === 'CallExpression' && memberName(untyped(call.callee)) === undefined
}

/** `configure(5)` is a set-up line if the function changes variables of the module; `log('hello')` is not. */
function callSetsUp(binding: Binding, source: Source, seen = new Set<Binding>()): boolean {
  if (binding.kind === 'import' || seen.has(binding)) return false
  seen.add(binding)
  if (!isFunctionBinding(binding)) return seen.size === 1
  return binding.units
    .flatMap(unit => referencesIn(source, unit))
    .some(reference => {
      const inner = reference.binding
      if (inner?.kind !== 'module' && inner?.kind !== 'export') return false
      if (!reference.isInitial && touchOf(reference) !== 'read') return true
      return callSetsUp(inner, source, seen)
    })
}

function bindingsOf(references: readonly Reference[]): Binding[] {
  const bindings = references.flatMap(({ binding }) => binding ?? [])
  return bindings.filter(({ kind }) => kind !== 'local')
}

/** Where a unit calls a flow while the module loads. Workers run no flows. */
export function flowCallIn(source: Source, unit: Unit): Reference | undefined {
  return referencesIn(source, unit).find(
    ({ node, binding }) => binding && isFlow(source, binding) && callOn(node) && runsAtLoad(node),
  )
}

/** The first line of the top level that runs a flow, itself or by a function of the file. */
export function firstFlowRun(source: Source): Unit | undefined {
  const seen = new Set<Binding>()
  const atOnce = source.definitions.filter(({ kind, call }) => kind === 'flow' && isRun(call) && runsAtLoad(call))
  return source.units.find(
    unit =>
      atOnce.some(({ call }) => isWithin(call, unit)) ||
      referencesIn(source, unit).some(use => runsAtLoad(use.node) && runsFlow(use, source, seen)),
  )
}

function runsFlow({ node, binding }: Reference, source: Source, seen: Set<Binding>): boolean {
  if (!binding || seen.has(binding) || !isRun(node)) return false
  if (isFlow(source, binding)) return true
  seen.add(binding)
  if (!isFunctionBinding(binding)) return false
  return binding.units.some(unit => referencesIn(source, unit).some(use => runsFlow(use, source, seen)))
}

/** `f()` and `f.with(o)()`, and not `f.with(o)`. */
function isRun(node: Node): boolean {
  const call = callOn(node)
  if (call?.type !== 'CallExpression') return false
  return memberName(untyped(call.callee)) !== 'with' || isRun(call)
}

function isFlow(source: Source, binding: Binding): boolean {
  return definitionOf(source, binding)?.kind === 'flow'
}
