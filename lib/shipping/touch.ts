import { type Binding, exportedMember, type Reference, type Source } from './source.js'
import { isFunction, memberName, type Node, rootOf, typed, untyped } from './syntax.js'

/**
 * What a line does with a variable: `assigned` gives it another value, `changed` certainly alters the object it holds,
 * `perhaps` calls what looks like it (`state.items.push(1)`), `read` is all else.
 */
export type Touch = 'assigned' | 'changed' | 'perhaps' | 'read'

export function touchOf({ node, binding }: Reference): Touch {
  let outer = typed((binding?.kind === 'export' && exportedMember(node)) || node)
  if (isTarget(outer)) return 'assigned'
  let depth = 0
  let method: string | undefined
  for (let next = memberOf(outer); next; next = memberOf(outer)) {
    method = memberName(next)
    outer = typed(next)
    depth++
  }
  if (depth > 0 && isTarget(outer)) return 'changed'
  if (depth > 0 && isCallee(outer)) return touchOfMethod(method, depth, binding)
  return isChangedByArgument(outer) ? 'changed' : 'read'
}

const changes = new WeakMap<Source, readonly Reference[]>()

/** Everything in a file that gives a variable another value, or alters what it holds, certainly or perhaps. */
export function changesIn(source: Source): readonly Reference[] {
  const known = changes.get(source)
  if (known) return known
  const found = source.references.filter(use => use.binding && !use.isInitial && touchOf(use) !== 'read')
  changes.set(source, found)
  return found
}

function memberOf(object: Node): Extract<Node, { type: 'MemberExpression' }> | undefined {
  const { parent } = object
  return parent?.type === 'MemberExpression' && parent.object === object ? parent : undefined
}

function isCallee(node: Node): boolean {
  return node.parent?.type === 'CallExpression' && node.parent.callee === node
}

/** Whether a value is written to the place that `node` names. */
function isTarget(node: Node): boolean {
  const { parent } = node
  switch (parent?.type) {
    case 'AssignmentExpression':
    case 'AssignmentPattern':
    case 'ForInStatement':
    case 'ForOfStatement':
      return parent.left === node
    case 'UpdateExpression':
    case 'ArrayPattern':
    case 'RestElement':
      return true
    case 'UnaryExpression':
      return parent.operator === 'delete'
    case 'Property':
      return parent.parent?.type === 'ObjectPattern' && parent.value === node
    default:
      return false
  }
}

const changingMethods = new Set(
  'push pop shift unshift splice sort reverse fill copyWithin set add delete clear'.split(' '),
)

function touchOfMethod(method: string | undefined, depth: number, binding: Binding | undefined): Touch {
  if (method === undefined || !changingMethods.has(method)) return 'read'
  const held = holds(binding)
  if (held === 'collection' && depth === 1) return 'changed'
  return held === undefined ? 'read' : 'perhaps'
}

/** What a variable holds, as far as its declaration shows. A client with a method `set` is none of our business. */
function holds(binding: Binding | undefined): 'collection' | 'object' | undefined {
  const value = initialOf(binding)
  if (value?.type === 'ArrayExpression') return 'collection'
  if (value?.type === 'ObjectExpression') return 'object'
  if (value?.type !== 'NewExpression' || value.callee.type !== 'Identifier') return undefined
  return /^(Map|Set|WeakMap|WeakSet|Array|[A-Z]\w+Array)$/.test(value.callee.name) ? 'collection' : undefined
}

function initialOf(binding: Binding | undefined): Node | undefined {
  const { declaration } = binding ?? {}
  if (declaration?.type !== 'VariableDeclarator' || declaration.id.type !== 'Identifier') return undefined
  return declaration.init ? untyped(declaration.init) : undefined
}

/** `Object.assign(node, …)` and its kind. */
function isChangedByArgument(node: Node): boolean {
  const { parent } = node
  if (parent?.type !== 'CallExpression' || parent.arguments[0] !== node) return false
  const { callee } = parent
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return false
  return (
    (callee.object.name === 'Object' || callee.object.name === 'Reflect') &&
    /^(assign|define\w+|set\w*|delete\w+)$/.test(memberName(callee) ?? '')
  )
}

/** The expression that is called when `node`, a member of it, or what they give is called: `f()`, `f.with(o)()`. */
export function callOn(node: Node): Node | undefined {
  let outer = typed(node)
  for (let next = memberOf(outer); next; next = memberOf(outer)) outer = typed(next)
  return isCallee(outer) ? (outer.parent ?? undefined) : undefined
}

/** Whether a variable can only hold a function, or a value that nobody can change. */
export function isUnchangeable(binding: Binding): boolean {
  const { declaration } = binding
  if (declaration?.type === 'FunctionDeclaration' || declaration?.type === 'TSEnumDeclaration') return true
  if (declaration?.type !== 'VariableDeclarator' || declaration.parent?.type !== 'VariableDeclaration') return false
  const value = initialOf(binding)
  if (declaration.parent.kind !== 'const' || !value) return false
  if (value.type === 'UnaryExpression' || value.type === 'TemplateLiteral' || isFunction(value)) return true
  return value.type === 'Literal' && !(value.value instanceof RegExp)
}

export function isFunctionBinding({ declaration }: Binding): boolean {
  if (declaration?.type === 'FunctionDeclaration') return true
  if (declaration?.type !== 'VariableDeclarator' || !declaration.init) return false
  return isFunction(untyped(declaration.init))
}

const readingMethods = new Set(
  `at concat entries every filter find findIndex findLast findLastIndex flat flatMap forEach get has includes indexOf
  join keys lastIndexOf map reduce reduceRight slice some toJSON toSorted toSpliced toString values with`.split(/\s+/),
)

/**
 * Whether code that we do not see gets hold of what a variable holds, and so might change it: `fill(map)`. What is
 * handed to a function that `isHarmless` knows does not count.
 */
export function escapes(node: Node, isHarmless: (callee: Node) => boolean): boolean {
  const call = callOn(node)
  if (call?.type === 'CallExpression') {
    const method = memberName(untyped(call.callee))
    return method === undefined || !readingMethods.has(method)
  }
  let outer = typed(node)
  for (let next = memberOf(outer); next; next = memberOf(outer)) outer = typed(next)
  const { parent } = outer
  if (parent?.type !== 'CallExpression' && parent?.type !== 'NewExpression') return false
  const callee = rootOf(parent.callee)
  return parent.callee !== outer && !(callee && isHarmless(callee))
}
