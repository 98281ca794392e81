import { dirname, extname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Lines } from './lines.js'
import { captureKeysOf, entriesOf, type Lists, listsOf } from './options.js'
import { setupName } from './setup-name.js'
import type { Binding, Source } from './source.js'
import { literalText, memberName, type Node, nodesOf, type Range, typed, untyped } from './syntax.js'

/** One `task(…)`, `flow(…)` or `new ParallelExecutor(…)` in a file. */
export interface Definition {
  readonly kind: 'task' | 'flow' | 'setup'
  /** Undefined if it is no literal. */
  readonly name: string | undefined
  readonly call: Extract<Node, { type: 'CallExpression' | 'NewExpression' }>
  readonly line: number
  /** The expression of the function; undefined where only running the file could tell. */
  readonly fn: Node | undefined
  /** The keys of `captures`; undefined where only running the file could tell. */
  readonly captureKeys: readonly string[] | undefined
  /** What the options list for remote workers; undefined where only running the file could tell. */
  readonly lists: Lists | undefined
  /** False for a `task` that another file of the user passes on: it is ours by name only. */
  readonly isCertain: boolean
}

interface Surroundings {
  readonly program: Node
  readonly file: string
  readonly lines: Lines
  bindingOf(identifier: Node): Binding | undefined
}

const ownFolder = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Whether an import means Mintaka: by its name, or by its path from within its own repository. */
export function isMintaka(specifier: string, folder: string): boolean {
  if (/^mintaka(\/|$)/.test(specifier)) return true
  if (!/^\.{0,2}\//.test(specifier)) return false
  const path = resolve(folder, specifier)
  const name = relative(ownFolder, path.slice(0, path.length - extname(path).length))
  return ['index', 'task', 'flow', join('testing', 'index')].includes(name)
}

export function findDefinitions(surroundings: Surroundings): Definition[] {
  const found: Definition[] = []
  for (const node of nodesOf(surroundings.program)) {
    if (node.type === 'NewExpression' && meaningOf(node.callee, surroundings) === 'ParallelExecutor') {
      found.push(...setUpOf(node, surroundings))
    }
    if (node.type !== 'CallExpression') continue
    const meaning = meaningOf(node.callee, surroundings)
    if (meaning === 'task' || meaning === 'flow') found.push(definition(node, meaning, true, surroundings.lines))
    else if (isPassedOn(node.callee, surroundings)) found.push(definition(node, 'task', false, surroundings.lines))
  }
  return found
}

function definition(
  call: Extract<Node, { type: 'CallExpression' }>,
  kind: Definition['kind'],
  isCertain: boolean,
  lines: Lines,
): Definition {
  const [name, fn, options] = call.arguments
  const isPlain = !call.arguments.some(({ type }) => type === 'SpreadElement')
  return {
    kind,
    name: literalText(name),
    call,
    line: lines.lineOf(call.start),
    fn: isPlain ? fn : undefined,
    captureKeys: isPlain ? captureKeysOf(options) : undefined,
    lists: isPlain ? listsOf(options) : undefined,
    isCertain,
  }
}

/**
 * The function that an executor gives as its `setup`; without the function where it is not plain to see. A task has a
 * name to be found by, and is none of these.
 */
function setUpOf(call: Extract<Node, { type: 'NewExpression' }>, surroundings: Surroundings): Definition[] {
  const [options] = call.arguments
  const entries = options && entriesOf(untyped(options))
  const given = entries?.get('setup')
  if (!options || (entries && !given) || (given && isTask(given, surroundings))) return []
  const isExpression = given?.parent?.type !== 'Property' || !given.parent.method
  const line = surroundings.lines.lineOf(call.start)
  const fn = isExpression ? given : undefined
  return [{ kind: 'setup', name: setupName, call, line, fn, captureKeys: [], lists: undefined, isCertain: true }]
}

function isTask(expression: Node, surroundings: Surroundings): boolean {
  const node = untyped(expression)
  if (node.type === 'CallExpression') return meaningOf(node.callee, surroundings) === 'task'
  const declaration = node.type === 'Identifier' ? surroundings.bindingOf(node)?.declaration : undefined
  return declaration?.type === 'VariableDeclarator' && !!declaration.init && isTask(declaration.init, surroundings)
}

/** What of Mintaka an expression is: the name of an export, `*` for all of them, or nothing of it. */
function meaningOf(expression: Node, surroundings: Surroundings, depth = 0): string | undefined {
  const node = untyped(expression)
  const inner = (next: Node) => (depth < 8 ? meaningOf(next, surroundings, depth + 1) : undefined)
  const isOurs = (source: Node | undefined) => {
    const specifier = literalText(source)
    return specifier !== undefined && isMintaka(specifier, dirname(surroundings.file)) ? '*' : undefined
  }
  switch (node.type) {
    case 'Identifier': {
      const binding = surroundings.bindingOf(node)
      return binding && meaningOfBinding(binding, isOurs, inner)
    }
    case 'MemberExpression': {
      if (inner(node.object) !== '*') return undefined
      const name = memberName(node)
      return name === 'default' ? '*' : name
    }
    case 'SequenceExpression':
      return inner(node.expressions.at(-1)!)
    case 'AwaitExpression':
      return inner(node.argument)
    case 'ImportExpression':
      return isOurs(node.source)
    case 'CallExpression':
      return meaningOfCall(node, isOurs, inner)
    default:
      return undefined
  }
}

type Inner = (node: Node) => string | undefined

/** `require('mintaka')`, also inside the helpers of compilers: `__importStar(require('mintaka'))`. */
function meaningOfCall(
  call: Extract<Node, { type: 'CallExpression' }>,
  isOurs: (source?: Node) => string | undefined,
  inner: Inner,
) {
  const [argument] = call.arguments
  if (call.callee.type !== 'Identifier' || !argument) return undefined
  if (call.callee.name === 'require') return isOurs(argument)
  return /^_*(import|interop|toESM)/.test(call.callee.name) && inner(argument) === '*' ? '*' : undefined
}

function meaningOfBinding(binding: Binding, isOurs: (source?: Node) => string | undefined, inner: Inner) {
  const { declaration: node } = binding
  switch (node?.type) {
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier': {
      const { parent } = node
      if (parent?.type !== 'ImportDeclaration' || !isOurs(parent.source)) return undefined
      return node.type === 'ImportSpecifier' ? importedName(node) : '*'
    }
    case 'TSImportEqualsDeclaration':
      return node.moduleReference.type === 'TSExternalModuleReference'
        ? isOurs(node.moduleReference.expression)
        : undefined
    case 'VariableDeclarator':
      return node.init ? meaningOfVariable(binding.name, node.id, inner(node.init)) : undefined
    default:
      return undefined
  }
}

/** `const { task: t } = m` where `m` means all of Mintaka. */
function meaningOfVariable(name: string, pattern: Node, meaning: string | undefined): string | undefined {
  if (pattern.type !== 'ObjectPattern') return meaning
  if (meaning !== '*') return undefined
  for (const property of pattern.properties) {
    if (property.type !== 'Property' || property.key.type !== 'Identifier') continue
    if (property.value.type === 'Identifier' && property.value.name === name) return property.key.name
  }
  return undefined
}

function importedName({ imported }: Extract<Node, { type: 'ImportSpecifier' }>): string {
  return imported.type === 'Literal' ? imported.value : imported.name
}

/** `import { task } from './lib.js'`, where `lib.js` is the user's and passes ours on. */
function isPassedOn(callee: Node, { bindingOf }: Surroundings): boolean {
  const declaration = callee.type === 'Identifier' ? bindingOf(callee)?.declaration : undefined
  if (declaration?.type !== 'ImportSpecifier' || importedName(declaration) !== 'task') return false
  const { parent } = declaration
  return parent?.type === 'ImportDeclaration' && parent.source.value.startsWith('.')
}

/** The task or flow that a variable holds: `const a = task(…)`. */
export function definitionOf(
  { definitionsByCall }: Pick<Source, 'definitionsByCall'>,
  { declaration }: Binding,
): Definition | undefined {
  if (declaration?.type !== 'VariableDeclarator' || declaration.id.type !== 'Identifier') return undefined
  return declaration.init ? definitionsByCall.get(untyped(declaration.init)) : undefined
}

/**
 * The parts of a file's tasks and flows that do not travel: the options of both, which are for the main thread; and the
 * functions of flows, unless a line names one (`aFlow.fn`).
 */
export function holesOf({ definitions, definitionsByCall, references }: HoleSource): Range[] {
  const named = references.map(({ node, binding }) => {
    const { parent } = typed(node)
    return binding && parent && memberName(parent) === 'fn' ? definitionOf({ definitionsByCall }, binding) : undefined
  })
  const kept = new Set(named)
  const holes = definitions.flatMap(definition => {
    const { kind, call, fn, isCertain } = definition
    const [name] = call.arguments
    if (kind === 'setup' || !isCertain || !name || !fn) return []
    const isPlainFlow = kind === 'flow' && call.parent?.type === 'VariableDeclarator' && !kept.has(definition)
    return { start: (isPlainFlow ? name : fn).end, end: call.end - 1 }
  })
  return holes.sort((a, b) => a.start - b.start)
}

type HoleSource = Pick<Source, 'definitions' | 'definitionsByCall' | 'references'>
