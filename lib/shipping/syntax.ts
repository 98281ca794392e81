import { extname } from 'node:path'
import type { Node, Program } from 'oxc-parser'
import { Lines } from './lines.js'

export type { Node, Program }

/** A piece of a file, by offsets. */
export interface Range {
  readonly start: number
  readonly end: number
}

export type Language = 'jsx' | 'ts' | 'tsx'

export interface Parsed {
  readonly program: Program
  readonly language: Language
  /** Whether the file has import or export statements, or `import.meta`. */
  readonly isModule: boolean
}

/** A file that is not JavaScript: what is wrong with it, and in which line and column. */
export class SyntaxProblem extends Error {
  readonly line: number
  readonly column: number

  constructor(message: string, lines: Lines, position: number) {
    super(message)
    this.line = lines.lineOf(position)
    this.column = lines.columnOf(position)
  }
}

export function languageOf(file: string): Language {
  const extension = extname(file)
  if (extension === '.tsx') return 'tsx'
  return /^\.[cm]?ts$/.test(extension) ? 'ts' : 'jsx'
}

/** The tree of a file, each node with its parent. Throws a {@link SyntaxProblem}. */
export async function parse(file: string, code: string): Promise<Parsed> {
  const { parseSync } = await import('oxc-parser')
  const language = languageOf(file)
  const attempt = (sourceType: 'module' | 'commonjs') =>
    parseSync(file, code, { lang: language, sourceType, astType: 'ts', range: true, preserveParens: false })
  // what is legal only in CommonJS (a return at the top level, `with`) is rare: so the module reading comes first
  const asModule = attempt('module')
  const result = asModule.errors.length > 0 && !/\.m[jt]s$/.test(file) ? attempt('commonjs') : asModule
  const error = result.errors.find(({ severity }) => severity === 'Error')
  if (error) throw new SyntaxProblem(error.message, new Lines(code), error.labels[0]?.start ?? 0)
  linkParents(result.program)
  return { program: result.program, language, isModule: result.module.hasModuleSyntax }
}

/** Every node below `root`, itself first, in the order of the text. */
export function* nodesOf(root: Node): Generator<Node> {
  const stack: Node[] = [root]
  for (let node = stack.pop(); node; node = stack.pop()) {
    yield node
    for (const child of childrenOf(node).reverse()) stack.push(child)
  }
}

function linkParents(root: Node): void {
  for (const node of nodesOf(root)) {
    for (const child of childrenOf(node)) (child as { parent?: Node }).parent = node
  }
}

function childrenOf(node: Node): Node[] {
  const children: Node[] = []
  for (const [key, value] of Object.entries(node) as [string, unknown][]) {
    if (key === 'parent') continue
    for (const item of Array.isArray(value) ? value : [value]) if (isNode(item)) children.push(item)
  }
  return children
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

export function isFunction(node: Node): boolean {
  return (
    node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration' || node.type === 'ArrowFunctionExpression'
  )
}

export function isWithin(inner: Range, outer: Range): boolean {
  return inner.start >= outer.start && inner.end <= outer.end
}

/** An expression without what only types it: `x as T`, `x!`, `x satisfies T`, `x<T>`. */
export function untyped(node: Node): Node {
  return isTyping(node) ? untyped(node.expression) : node
}

/** The opposite way: the outermost node that only types `node`, or links its optional chain. */
export function typed(node: Node): Node {
  const { parent } = node
  return parent && (isTyping(parent) || parent.type === 'ChainExpression') ? typed(parent) : node
}

type Typing = Extract<
  Node,
  {
    type:
      | 'TSAsExpression'
      | 'TSSatisfiesExpression'
      | 'TSNonNullExpression'
      | 'TSTypeAssertion'
      | 'TSInstantiationExpression'
  }
>

function isTyping(node: Node): node is Typing {
  return (
    node.type === 'TSAsExpression' ||
    node.type === 'TSSatisfiesExpression' ||
    node.type === 'TSNonNullExpression' ||
    node.type === 'TSTypeAssertion' ||
    node.type === 'TSInstantiationExpression'
  )
}

/** The text of a string literal, or of a template without holes. */
export function literalText(node: Node | undefined): string | undefined {
  const plain = node && untyped(node)
  if (plain?.type === 'Literal' && typeof plain.value === 'string') return plain.value
  if (plain?.type !== 'TemplateLiteral' || plain.expressions.length > 0) return undefined
  return plain.quasis[0]?.value.cooked ?? undefined
}

/** The name after the dot of `a.name` or `a['name']`. */
export function memberName(node: Node): string | undefined {
  if (node.type !== 'MemberExpression') return undefined
  if (node.computed) return literalText(node.property)
  return node.property.type === 'Identifier' ? node.property.name : undefined
}

/** The identifier that a chain of members and calls begins with: `a` of `a.b(c).d()`, `await a.b`. */
export function rootOf(node: Node): Node | undefined {
  const plain = untyped(node)
  switch (plain.type) {
    case 'Identifier':
      return plain
    case 'MemberExpression':
      return rootOf(plain.object)
    case 'CallExpression':
      return rootOf(plain.callee)
    case 'ChainExpression':
      return rootOf(plain.expression)
    case 'AwaitExpression':
      return rootOf(plain.argument)
    default:
      return undefined
  }
}

/** Whether `node` runs while its module loads: whether no function stands between it and the top level. */
export function runsAtLoad(node: Node): boolean {
  for (let { parent } = node; parent; { parent } = parent) {
    if (isFunction(parent) && !isCalledAtOnce(parent)) return false
    if (parent.type === 'PropertyDefinition' && !parent.static) return false
  }
  return true
}

function isCalledAtOnce(node: Node): boolean {
  const { parent } = node
  return parent?.type === 'CallExpression' && parent.callee === node
}
