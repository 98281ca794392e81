import { readFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { Dependence } from '../core/dependence.js'
import type { TaskCode } from '../core/executor.js'
import type { Definition } from './definitions.js'
import { findTask } from './find.js'
import { stampOf } from './locate.js'
import { isCaptured } from './reach.js'
import { firstThis } from './refusals.js'
import { type Binding, type Reference, readSource, referencesIn, type Source } from './source.js'
import { isFunction, isWithin, type Node, nodesOf, untyped } from './syntax.js'

/**
 * What the function of a task depends on besides its file. `undefined`: nobody can tell, because the file is not there or
 * has changed since it was loaded, or does not show which function it is. A file is read once.
 */
export async function dependenceOf({ name, source }: TaskCode): Promise<Dependence | undefined> {
  if (source.type !== 'slice') return { given: [], parameters: [], locals: [] }
  const { file, stamp, captures } = source
  const read = file === undefined || !isAbsolute(file) ? undefined : await sourceOf(file, stamp)
  const task = read && foundIn(read, name)
  return task && new Search(read, task, Object.keys(captures ?? {})).result()
}

const sources = new Map<string, Promise<Source | undefined>>()

function sourceOf(file: string, stamp: string | undefined): Promise<Source | undefined> {
  const key = `${stamp}|${file}`
  const known = sources.get(key)
  if (known) return known
  const source = read(file, stamp).catch(() => undefined)
  sources.set(key, source)
  return source
}

async function read(file: string, stamp: string | undefined): Promise<Source | undefined> {
  const text = await readFile(file, 'utf8')
  return stamp !== undefined && stampOf(file) === stamp ? readSource(file, text) : undefined
}

function foundIn(source: Source, name: string): Definition | undefined {
  try {
    return findTask(source, name)
  } catch {
    return undefined
  }
}

/** Follows what a function uses to where it comes from. */
class Search {
  private readonly given = new Set<string>()
  private readonly parameters = new Set<string>()
  private readonly locals = new Set<string>()
  private readonly seen = new Set<Binding>()
  private readonly source: Source
  private readonly root: Node

  constructor(source: Source, task: Definition, captureKeys: readonly string[]) {
    this.source = source
    this.root = task.fn!
    if (firstThis(this.root)) this.given.add('this')
    for (const reference of referencesIn(source, this.root))
      if (!isCaptured(reference, this.root, captureKeys)) this.follow(reference, this.root)
  }

  result(): Dependence {
    return { given: [...this.given], parameters: [...this.parameters], locals: [...this.locals] }
  }

  /** A name that is used within `range`. */
  private follow({ binding }: Reference, range: Node): void {
    if (binding?.kind !== 'local' || isWithin(binding.scope, range) || this.seen.has(binding)) return
    this.seen.add(binding)
    if (isMadeOften(binding)) this.judge(binding)
  }

  private judge(binding: Binding): void {
    const { name, declaration } = binding
    if (!declaration)
      this.given.add(name) // `arguments`
    else if (isFunction(declaration) && isNameOf(declaration, binding)) this.within(declaration)
    else if (isFunction(declaration)) (this.isFlow(declaration) ? this.parameters : this.given).add(name)
    else if (isOfLoop(declaration)) this.given.add(name)
    else {
      const values = this.valuesOf(binding, declaration)
      if (values.length !== 1 || !isFixed(values[0]!)) this.locals.add(name)
      for (const value of values) this.within(value)
    }
  }

  private within(range: Node): void {
    for (const reference of referencesIn(this.source, range)) this.follow(reference, range)
  }

  /** Whatever a variable is given, where it is declared and later. */
  private valuesOf(binding: Binding, declaration: Node): Node[] {
    const first = declaration.type === 'VariableDeclarator' ? declaration.init : declaration
    const later = this.source.references.flatMap(use => {
      if (use.binding !== binding || use.isInitial) return []
      const { parent } = use.node
      return parent?.type === 'AssignmentExpression' && parent.left === use.node ? parent.right : []
    })
    return first ? [first, ...later] : later
  }

  private isFlow(node: Node): boolean {
    return this.source.definitions.some(({ kind, fn }) => kind === 'flow' && fn && untyped(fn) === node)
  }
}

/** Whether there may be several of a variable: it is in a function or a loop. Else it is like one of the top level. */
function isMadeOften({ scope }: Binding): boolean {
  for (let node: Node | null | undefined = scope as Node; node; node = node.parent)
    if (isFunction(node) || loops.has(node.type)) return true
  return false
}

const loops = new Set(['ForStatement', 'ForInStatement', 'ForOfStatement', 'WhileStatement', 'DoWhileStatement'])

/** Whether a variable is the name of a function, and not one of its parameters. */
function isNameOf(declaration: Node, { declaredAt }: Binding): boolean {
  return 'id' in declaration && declaration.id?.start === declaredAt
}

/** `for (const k of …)` */
function isOfLoop(declaration: Node): boolean {
  const statement = declaration.parent?.parent
  if (!statement || !loops.has(statement.type)) return false
  return [...headOf(statement)].some(node => node === declaration.parent)
}

function* headOf(statement: Node): Generator<Node> {
  if (statement.type === 'ForStatement' && statement.init) yield statement.init
  if (statement.type === 'ForInStatement' || statement.type === 'ForOfStatement') yield statement.left
}

/** Whether an expression has one value, but for the variables in it: a literal, a function. */
function isFixed(expression: Node): boolean {
  const node = untyped(expression)
  return node.type === 'Literal' || isFunction(node) || (node.type === 'TemplateLiteral' && !hasCall(node))
}

function hasCall(node: Node): boolean {
  return [...nodesOf(node)].some(({ type }) => /^(Call|New|Await|Tagged|Yield|Import|Member)/.test(type))
}
