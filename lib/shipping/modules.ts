import { basename } from 'node:path'
import { BlankedText, blank, type Patch } from './blank.js'
import { hereName, hereOf, herePatches, mapCommentOf, questionsIn } from './here.js'
import { isCaptured } from './reach.js'
import type { Slice } from './slice.js'
import { type Reference, referencesIn, type Source, type Unit } from './source.js'
import { isWithin, type Range, untyped } from './syntax.js'
import { touchOf } from './touch.js'

/**
 * The slices of one file as modules that import from each other: one per task, and one for each set of lines that the
 * same tasks need. So each line that two tasks need runs once per worker, as it does at home, and a task brings along
 * nothing that only others need.
 */
export interface Modules {
  /** The module that exports each task by default, by the name of the task. */
  readonly entries: ReadonlyMap<string, string>
  readonly texts: ReadonlyMap<string, string>
}

export function modulesOf(source: Source, slices: readonly Slice[]): Modules {
  const layout = layOut(source, slices)
  const modules = [...layout.groups, ...layout.tasks]
  const wanted = new Map(modules.map(module => [module.id, linksOf(module, layout)]))
  const texts = new Map<string, string>()
  for (const module of modules) {
    const given = [...wanted].flatMap(([, links]) => [...links.names].filter(([, id]) => id === module.id))
    texts.set(module.id, textOf(module, wanted.get(module.id)!, new Set(given.map(([name]) => name)), source))
  }
  return { entries: new Map(slices.map(({ name }, index) => [name, layout.tasks[index]!.id])), texts }
}

/** How a module imports another one of the same file. */
function specifierOf(file: string, id: string): string {
  return `./${basename(file)}?mintaka=${id}`
}

/** One module in the making: lines of the file, functions of tasks, and what it takes from its sisters. */
interface Module {
  readonly id: string
  readonly units: readonly Unit[]
  readonly roots: readonly Root[]
  /** Sisters that run before it, whether or not a name of theirs is used. */
  readonly after: readonly string[]
  /** A task whose function is made in this sister. */
  readonly passes: { readonly from: string; readonly name: string } | undefined
}

/** The function of a task, made where it stood; `declared`: taken from the task that a kept line declares. */
interface Root {
  readonly slice: Slice
  readonly variable: string
  readonly declared: string | undefined
  readonly isDefault: boolean
}

interface Layout {
  readonly source: Source
  readonly groups: readonly Module[]
  readonly tasks: readonly Module[]
  readonly groupOf: ReadonlyMap<Unit, string>
}

function layOut(source: Source, slices: readonly Slice[]): Layout {
  const groups = groupsOf(source, slices)
  const groupOf = new Map([...groups].flatMap(([id, { units }]) => units.map(unit => [unit, id] as const)))
  const rootsIn = new Map<string, Root[]>()
  const variables = freshNames(source.code)
  const tasks = slices.map((slice, index): Module => {
    const variable = variables(index)
    const after = [...groups].flatMap(([id, { keepers }]) => (keepers.has(slice) ? [id] : []))
    const home = homeOf(slice, groupOf)
    if (home === undefined) {
      const root = { slice, variable, declared: undefined, isDefault: true }
      return { id: `task${index}`, units: [], roots: [root], after, passes: undefined }
    }
    const root = { slice, variable, declared: declaredName(slice, groupOf), isDefault: false }
    rootsIn.set(home, [...(rootsIn.get(home) ?? []), root])
    return { id: `task${index}`, units: [], roots: [], after, passes: { from: home, name: variable } }
  })
  const modules = [...groups].map(([id, { units }]): Module => {
    return { id, units, roots: rootsIn.get(id) ?? [], after: [], passes: undefined }
  })
  return { source, groups: modules, tasks, groupOf }
}

interface Group {
  readonly keepers: ReadonlySet<Slice>
  readonly units: Unit[]
}

function groupsOf(source: Source, slices: readonly Slice[]): Map<string, Group> {
  const byKeepers = new Map<string, Group>()
  for (const unit of source.units) {
    const keepers = slices.filter(({ units }) => units.has(unit))
    if (keepers.length === 0) continue
    const key = keepers.map(slice => slices.indexOf(slice)).join()
    const group = byKeepers.get(key) ?? { keepers: new Set(keepers), units: [] }
    group.units.push(unit)
    byKeepers.set(key, group)
  }
  const groups = new Map([...byKeepers.values()].map((group, index) => [`lines${index}`, group]))
  return assignsAcross(slices, groups) ? inOne(groups) : groups
}

/** A module cannot assign what it imports, so then all lines stay together. */
function assignsAcross(slices: readonly Slice[], groups: ReadonlyMap<string, Group>): boolean {
  if (slices.some(slice => assignedBy(slice).length > 0)) return true
  return [...groups.values()].some(({ units }) =>
    units.some(unit => assignedIn(slices[0]!.source, unit).some(other => !units.includes(other))),
  )
}

function inOne(groups: ReadonlyMap<string, Group>): Map<string, Group> {
  const all = [...groups.values()]
  const keepers = new Set(all.flatMap(group => [...group.keepers]))
  const units = all.flatMap(group => group.units).sort((a, b) => a.start - b.start)
  return new Map(units.length > 0 ? [['lines', { keepers, units }]] : [])
}

/** The lines that declare what the function of a task assigns itself. */
function assignedBy({ source, root, captureKeys }: Slice): Unit[] {
  return assignedIn(source, root, reference => !isCaptured(reference, root, captureKeys))
}

function assignedIn(source: Source, range: Range, counts: (reference: Reference) => boolean = () => true): Unit[] {
  return referencesIn(source, range).flatMap(reference => {
    const { binding, isInitial } = reference
    if (binding?.kind !== 'module' || isInitial || !counts(reference)) return []
    return touchOf(reference) === 'assigned' ? binding.units : []
  })
}

/** The group in which the function of a task has to be made, because it assigns variables there. */
function homeOf(slice: Slice, groupOf: ReadonlyMap<Unit, string>): string | undefined {
  const [assigned] = assignedBy(slice)
  if (!assigned) return undefined
  const overlaps = [...groupOf.keys()].some(unit => isWithin(slice.root, unit))
  return overlaps && declaredName(slice, groupOf) === undefined ? undefined : groupOf.get(assigned)
}

/** `fact` where a kept line says `const fact = task('fact', …)`. */
function declaredName(slice: Slice, groupOf: ReadonlyMap<Unit, string>): string | undefined {
  const { task, root } = slice
  if (usedKeys(slice).length > 0) return undefined
  for (const { node } of groupOf.keys()) {
    if (!isWithin(root, node) || node.type !== 'VariableDeclarator' || node.id.type !== 'Identifier') continue
    if (node.init && untyped(node.init) === task.call) return node.id.name
  }
  return undefined
}

/** Short names that the file does not use: they have to fit where `task('x',` was. */
function freshNames(code: string): (index: number) => string {
  let prefix = '$'
  while (code.includes(`${prefix}0`)) prefix += '$'
  return index => prefix + index
}

/** What a module takes from elsewhere. */
interface Links {
  /** Import lines of the file. */
  readonly imports: ReadonlySet<Unit>
  /** Names of sisters, each with the sister's id. */
  readonly names: ReadonlyMap<string, string>
  /** What it asks about itself: where it is, `exports`, … */
  readonly here: ReadonlySet<string>
}

function linksOf(module: Module, { source, groupOf }: Layout): Links {
  const imports = new Set<Unit>(source.units.filter(isBareImport))
  const names = new Map<string, string>()
  const here = new Set<string>()
  for (const { name, binding } of usesOf(module, source)) {
    if (binding?.kind === 'import') for (const unit of binding.units) imports.add(unit)
    if ((!binding || binding.kind === 'export') && (name === 'module' || name === 'exports')) here.add(name)
    const group = binding?.kind === 'module' ? groupOf.get(binding.units[0]!) : undefined
    if (group !== undefined && group !== module.id) names.set(name, group)
  }
  const ranges = rangesOf(module)
  if (questionsIn(source).some(question => ranges.some(range => isWithin(question, range))))
    here.add(`here as ${hereName(source.code)}`)
  if (module.passes) names.set(module.passes.name, module.passes.from)
  return { imports, names, here }
}

function rangesOf({ units, roots }: Module): Range[] {
  return [...units, ...roots.flatMap(({ slice, declared }) => (declared ? [] : slice.root))]
}

function usesOf({ units, roots }: Module, source: Source): Reference[] {
  const inRoots = roots.flatMap(({ slice: { root, captureKeys }, declared }) =>
    declared ? [] : referencesIn(source, root).filter(use => !isCaptured(use, root, captureKeys)),
  )
  return [...units.flatMap(unit => referencesIn(source, unit)), ...inRoots]
}

/** `import 'x'`, or the like of it in CommonJS. */
function isBareImport({ node }: Unit): boolean {
  if (node.type === 'ImportDeclaration') return node.specifiers.length === 0 && node.importKind !== 'type'
  if (node.type !== 'ExpressionStatement' || node.expression.type !== 'CallExpression') return false
  const { callee, arguments: given } = node.expression
  return callee.type === 'Identifier' && callee.name === 'require' && given[0]?.type === 'Literal'
}

function textOf(module: Module, links: Links, given: ReadonlySet<string>, source: Source): string {
  const { code, file } = source
  const holes = source.holes.map(({ start, end }): Patch => ({ start, end, text: blank(code.slice(start, end)) }))
  const patches = [...holes, ...herePatches(source)].sort((a, b) => a.start - b.start || b.end - a.end)
  const text = new BlankedText(code, patches)
  const pieces = [...links.imports, ...module.units].flatMap(unitPieces(module.units))
  for (const root of module.roots) if (!root.declared) pieces.push(rootPiece(root))
  const ordered = dedupe(pieces.sort((a, b) => a.range.start - b.range.start))
  for (const { range, before, after } of ordered) text.keep(range, before, after)
  return text.finish([tailOf(module, links, given, file), mapCommentOf(code)])
}

interface Piece {
  readonly range: Range
  readonly before: string
  readonly after: string
}

/** Several declarators share the `const` before them. */
function dedupe(pieces: readonly Piece[]): Piece[] {
  return pieces.filter(({ range }, index) => range.start !== pieces[index - 1]?.range.start)
}

const unitPieces =
  (kept: readonly Unit[]) =>
  (unit: Unit): Piece[] => {
    const { node, statement, start, end } = unit
    if (node === statement) return [{ range: unit, before: '', after: ';' }]
    if (node.type !== 'VariableDeclarator') return [sequencePiece(unit)]
    const first = node.parent?.type === 'VariableDeclaration' ? node.parent.declarations[0]! : node
    const goesOn = kept.some(other => other.statement === statement && other.start > start)
    return [
      { range: { start: statement.start, end: first.start }, before: '', after: '' },
      { range: { start, end }, before: '', after: goesOn ? ',' : ';' },
    ]
  }

/** `{ a } = b` and the like need brackets when they begin a statement. */
function sequencePiece(unit: Unit): Piece {
  const needsBrackets = /^(Assignment|Function|Class|Object|Call)/.test(unit.node.type)
  return needsBrackets ? { range: unit, before: '(', after: ');' } : { range: unit, before: '', after: ';' }
}

function rootPiece({ slice, variable }: Root): Piece {
  const keys = usedKeys(slice)
  const parameter = keys.length > 0 ? `{${keys}}` : ''
  return { range: slice.root, before: `;${variable}=(${parameter})=>(`, after: ');' }
}

/** The captured names that the function itself uses. */
function usedKeys({ source, root, captureKeys }: Slice): string[] {
  const captured = referencesIn(source, root).filter(use => isCaptured(use, root, captureKeys))
  return [...new Set(captured.map(({ name }) => name))]
}

/** What comes after the last line: imports and declarations work from there as well, and so no line moves. */
function tailOf(module: Module, links: Links, given: ReadonlySet<string>, file: string): string {
  const parts: string[] = []
  const from = (id: string) => `from${JSON.stringify(specifierOf(file, id))}`
  if (links.here.size > 0) parts.push(`import{${[...links.here]}}from${JSON.stringify(hereOf(file))}`)
  for (const id of module.after) parts.push(`import${JSON.stringify(specifierOf(file, id))}`)
  for (const [name, id] of links.names) parts.push(`import{${shared(name)} as ${name}}${from(id)}`)
  for (const { variable, declared, isDefault } of module.roots) {
    parts.push(declared ? `var ${variable}=()=>${declared}.fn` : `var ${variable}`)
    if (isDefault) parts.push(`export{${variable} as default}`)
  }
  if (module.passes) parts.push(`export{${module.passes.name} as default}`)
  for (const name of given) parts.push(`export{${name} as ${shared(name)}}`)
  return parts.map(part => `;${part}`).join('')
}

/** What one module gives to its sisters has a name that none of the user's exports can have. */
function shared(name: string): string {
  return JSON.stringify(`mintaka:${name}`)
}
