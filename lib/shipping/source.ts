import { basename } from 'node:path'
import type { Scope } from '@typescript-eslint/scope-manager'
import { type Definition, findDefinitions, holesOf } from './definitions.js'
import { Lines, lastAtMost } from './lines.js'
import { isWithin, type Language, memberName, type Node, nodesOf, parse, type Range, rootOf, typed } from './syntax.js'

/** A file of the user, read for what can be sent of it. */
export interface Source {
  readonly file: string
  /** The name of the file as messages show it. */
  readonly label: string
  readonly code: string
  readonly language: Language
  readonly isModule: boolean
  readonly units: readonly Unit[]
  /** Every use of a name as a value, in the order of the text. */
  readonly references: readonly Reference[]
  readonly definitions: readonly Definition[]
  /** The same by their calls. */
  readonly definitionsByCall: ReadonlyMap<Node, Definition>
  /** What no slice carries: the options of tasks, the functions and options of flows. */
  readonly holes: readonly Range[]
  /** Each `import.meta`. */
  readonly metas: readonly Node[]
  readonly lines: Lines
  unitAt(position: number): Unit | undefined
  bindingOf(identifier: Node): Binding | undefined
}

/** What is kept or dropped as a whole: a statement of the top level, or one part of `const a = …, b = …`. */
export interface Unit extends Range {
  readonly node: Node
  readonly statement: Node
}

export interface Binding {
  readonly name: string
  /** `export` is a property of the `exports` of a CommonJS file. */
  readonly kind: 'local' | 'module' | 'import' | 'export'
  /** The units that declare it; none for a local. */
  readonly units: Unit[]
  /** The function or block (or file) in which it is known. */
  readonly scope: Range
  /** The node that declares it: a declarator, a function, an import specifier… */
  readonly declaration: Node | undefined
  readonly declaredAt: number
  /** The module that an import comes from. */
  readonly from: string | undefined
}

export interface Reference extends Range {
  readonly name: string
  readonly node: Node
  /** None: a global. */
  readonly binding: Binding | undefined
  /** The value that a declaration gives at once. */
  readonly isInitial: boolean
}

export async function readSource(file: string, text: string): Promise<Source> {
  // Node counts columns without the byte order mark too
  const code = text.replace(/^\uFEFF/, '')
  const [{ program, language, isModule }, { analyze }] = await Promise.all([
    parse(file, code),
    import('@typescript-eslint/scope-manager'),
  ])
  const units = program.body.flatMap(unitsOf)
  const unitAt = (position: number) => {
    const unit = units[lastAtMost(units, position, ({ start }) => start)]
    return unit && position < unit.end ? unit : undefined
  }
  const scopes = analyze(program as unknown as Parameters<typeof analyze>[0], { sourceType: 'module', lib: [] })
  const references = referencesOf(scopes.globalScope!, program, unitAt)
  const byNode = new Map(references.map(reference => [reference.node, reference.binding]))
  const lines = new Lines(code)
  const bindingOf = (identifier: Node) => byNode.get(identifier)
  const definitions = findDefinitions({ program, file, lines, bindingOf })
  const metas = [...nodesOf(program)].filter(node => node.type === 'MetaProperty' && node.meta.name === 'import')
  const label = basename(file)
  const definitionsByCall = new Map<Node, Definition>(definitions.map(definition => [definition.call, definition]))
  const holes = holesOf({ definitions, definitionsByCall, references })
  const found = { units, references, definitions, definitionsByCall, holes, metas }
  return { file, label, code, language, isModule, ...found, lines, unitAt, bindingOf }
}

function unitsOf(statement: Node): Unit[] {
  const inner = (statement.type === 'ExportNamedDeclaration' && statement.declaration) || statement
  const parts = partsOf(inner)
  return (parts ?? [statement]).map(node => ({ node, statement, start: node.start, end: node.end }))
}

/** Minifiers join unrelated declarations and statements by commas, so each part is a unit of its own. */
function partsOf(statement: Node): Node[] | undefined {
  if (statement.type === 'VariableDeclaration' && !statement.declare) return statement.declarations
  if (statement.type !== 'ExpressionStatement' || statement.expression.type !== 'SequenceExpression') return undefined
  return statement.expression.expressions
}

type UnitAt = Source['unitAt']

function referencesOf(globalScope: Scope, program: Node, unitAt: UnitAt): Reference[] {
  const types = [...nodesOf(program)].filter(({ type }) => type === 'TSTypeQuery')
  const bindings = new Map<Scope['variables'][number], Binding | undefined>()
  const exported = new Map<string, Binding>()
  const found: Reference[] = []
  for (const scope of scopesBelow(globalScope)) {
    for (const { identifier, resolved: nearest, isValueReference, init } of scope.references) {
      const node = identifier as unknown as Node
      const resolved = nearest && outsideOfClass(nearest)
      if (!isValueReference || types.some(type => node.start >= type.start && node.end <= type.end)) continue
      if (resolved && !bindings.has(resolved)) bindings.set(resolved, bindingFrom(resolved, program, unitAt))
      const binding = resolved ? bindings.get(resolved) : exportOf(node, exported, program)
      found.push({ start: node.start, end: node.end, name: identifier.name, node, binding, isInitial: init === true })
    }
  }
  addExportingUnits(found, unitAt)
  addElementFactories(found, globalScope, program, bindings, unitAt)
  return found.sort((a, b) => a.start - b.start)
}

function* scopesBelow(scope: Scope): Generator<Scope> {
  yield scope
  for (const child of scope.childScopes) yield* scopesBelow(child)
}

type Variable = Scope['variables'][number]

/** A class declaration knows its name inside and outside, by two variables that are one. */
function outsideOfClass(variable: Variable): Variable {
  const { scope, defs, name } = variable
  const isInside = scope.type === 'class' && defs[0]?.node.type === 'ClassDeclaration'
  return (isInside && scope.upper?.set.get(name)) || variable
}

/** Undefined for what is only declared to exist (`declare const X`): that is a global. */
function bindingFrom(variable: Variable, program: Node, unitAt: UnitAt): Binding | undefined {
  const { scope, defs, name } = variable
  const isTopLevel = scope.type === 'module' || scope.type === 'global'
  if (isTopLevel && defs.length > 0 && defs.every(isAmbient)) return undefined
  const [first] = defs
  const declaration = first?.node as unknown as Node | undefined
  const block = scope.block as unknown as Node
  const units = isTopLevel ? defs.flatMap(def => unitAt(def.name.range[0]) ?? []) : []
  const isImport = isTopLevel && first?.type === 'ImportBinding'
  return {
    name,
    kind: isImport ? 'import' : isTopLevel ? 'module' : 'local',
    units: [...new Set(units)],
    scope: isTopLevel ? program : block,
    declaration,
    declaredAt: first?.name.range[0] ?? block.start,
    from: isImport ? importedFrom(first.parent as unknown as Node) : undefined,
  }
}

function isAmbient({ node, parent }: Variable['defs'][number]): boolean {
  return [node, parent].some(part => part !== null && part !== undefined && 'declare' in part && part.declare === true)
}

function importedFrom(declaration: Node): string | undefined {
  return declaration.type === 'ImportDeclaration' ? declaration.source.value : undefined
}

/** `exports.x` and `module.exports.x` are variables of a CommonJS file under another name. */
function exportOf(node: Node, exported: Map<string, Binding>, program: Node): Binding | undefined {
  const name = exportedName(node)
  if (name === undefined) return undefined
  const known = exported.get(name)
  if (known) return known
  const rest = { declaration: undefined, declaredAt: node.start, from: undefined }
  const binding: Binding = { name, kind: 'export', units: [], scope: program, ...rest }
  exported.set(name, binding)
  return binding
}

/** The name in `exports.name`; `*` for `exports` as a whole. */
export function exportedName(node: Node): string | undefined {
  const member = exportedMember(node)
  return member === node ? '*' : member && (memberName(member) ?? '*')
}

/** The expression that stands for the exported variable: `exports.x`, or `exports` itself where it is used whole. */
export function exportedMember(node: Node): Node | undefined {
  if (node.type !== 'Identifier') return undefined
  if (node.name === 'exports') return memberAround(node) ?? node
  if (node.name !== 'module') return undefined
  const whole = memberAround(node)
  if (!whole || memberName(whole) !== 'exports') return undefined
  return memberAround(whole) ?? node
}

function memberAround(node: Node): Node | undefined {
  const outer = typed(node)
  const { parent } = outer
  return parent?.type === 'MemberExpression' && parent.object === outer ? parent : undefined
}

/** A top-level assignment is what declares `exports.x`. One to `module.exports` may declare any of them. */
function addExportingUnits(references: readonly Reference[], unitAt: UnitAt): void {
  const whole: Unit[] = []
  for (const { node, binding } of references) {
    const unit = binding?.kind === 'export' ? unitAt(node.start) : undefined
    if (!unit || !binding || !isAssignedIn(unit, node)) continue
    if (binding.name === '*') whole.push(unit)
    else binding.units.push(unit)
  }
  const all = new Set(references.flatMap(({ binding }) => (binding?.kind === 'export' ? [binding] : [])))
  const every = [...all].flatMap(({ units }) => units)
  for (const binding of all) {
    if (binding.name === '*') binding.units.push(...every)
    if (binding.name === '*' || binding.units.length === 0) binding.units.push(...whole)
  }
}

/** Whether a unit is `… = exports.x = exports.y = …` with `node` on a left side. */
function isAssignedIn(unit: Unit, node: Node): boolean {
  let expression = unit.node.type === 'ExpressionStatement' ? unit.node.expression : unit.node
  while (expression.type === 'AssignmentExpression') {
    if (rootOf(expression.left) === node && exportedMember(node) === expression.left) return true
    if (rootOf(expression.left) === node && exportedName(node) === '*') return true
    expression = expression.right
  }
  return false
}

/** An element (`<b/>`) of a JSX file uses `React` without saying so, where the file declares one. */
function addElementFactories(
  found: Reference[],
  globalScope: Scope,
  program: Node,
  bindings: Map<Variable, Binding | undefined>,
  unitAt: UnitAt,
): void {
  const variable = globalScope.childScopes[0]?.set.get('React')
  if (!variable) return
  const binding = bindings.get(variable) ?? bindingFrom(variable, program, unitAt)
  for (const node of nodesOf(program)) {
    if (node.type !== 'JSXElement' && node.type !== 'JSXFragment') continue
    found.push({ start: node.start, end: node.end, name: 'React', node, binding, isInitial: false })
  }
}

const found = new WeakMap<Range, readonly Reference[]>()

/** The uses of names in a unit or in the function of a task, without those in the holes of it. */
export function referencesIn(source: Source, range: Range): readonly Reference[] {
  const known = found.get(range)
  if (known) return known
  const { references, holes } = source
  const inner = holes.filter(hole => isWithin(hole, range))
  const first = lastAtMost(references, range.start - 1, ({ start }) => start) + 1
  const end = lastAtMost(references, range.end - 1, ({ start }) => start) + 1
  const kept = references
    .slice(first, end)
    .filter(({ start }) => !inner.some(hole => start >= hole.start && start < hole.end))
  found.set(range, kept)
  return kept
}
