import { dirname, resolve } from 'node:path'
import { askedOf, questionsIn } from './here.js'
import type { Slice } from './slice.js'
import type { Source } from './source.js'
import { isWithin, literalText, memberName, type Node, type Range, typed } from './syntax.js'

/** A place in a file of the user where code asks where it is. */
export interface Question {
  readonly file: string
  readonly label: string
  readonly line: number
  /** What stands there: `import.meta.url`, `__dirname`. */
  readonly text: string
  /** The path that it goes on to, where that is plain to see. */
  readonly target: string | undefined
}

/** Questions in what a slice carries of its file. */
export function questionsOfSlice({ source, root, units }: Slice): Question[] {
  const ranges = [root, ...units]
  const holes = source.holes.filter(hole => !isWithin(root, hole))
  const isIn = (node: Node, parts: readonly Range[]) => parts.some(part => isWithin(node, part))
  return questionsOf(source, node => isIn(node, ranges) && !isIn(node, holes))
}

/** Those to which a worker has no answer that would do. */
export function questionsOf(source: Source, isCarried: (node: Node) => boolean = () => true): Question[] {
  const { file, label, lines } = source
  return questionsIn(source)
    .filter(node => isCarried(node) && isAboutPlace(node) && !isCompared(node))
    .map(node => {
      const whole = wholeOf(node)
      const text = source.code.slice(whole.start, whole.end)
      return { file, label, line: lines.lineOf(node.start), text, target: targetOf(whole, dirname(file)) }
    })
}

/** `import.meta.env` and the like ask something else. */
function isAboutPlace(node: Node): boolean {
  if (node.type !== 'MetaProperty') return true
  const asked = askedOf(node)
  return asked === undefined || ['url', 'dirname', 'filename', 'resolve'].includes(asked)
}

/** `import.meta.url` of an `import.meta`. */
function wholeOf(node: Node): Node {
  const { parent } = typed(node)
  return node.type === 'MetaProperty' && parent?.type === 'MemberExpression' && askedOf(node) ? typed(parent) : node
}

/** `import.meta.url === pathToFileURL(process.argv[1]).href`: whether this is the main file. Reads nothing. */
function isCompared(node: Node): boolean {
  for (let { parent } = node; parent; { parent } = parent) {
    if (parent.type === 'BinaryExpression') return /^[!=]==?$/.test(parent.operator)
    if (parent.type !== 'MemberExpression' && parent.type !== 'CallExpression') return false
  }
  return false
}

/** The path in `new URL('./a.json', import.meta.url)`, `join(__dirname, 'a.json')` and `__dirname + '/a.json'`. */
function targetOf(whole: Node, folder: string): string | undefined {
  const { parent } = whole
  const parts = parent ? partsAfter(whole, parent) : undefined
  // `..` by itself is only half of a path
  const isPath = parts?.every(part => part !== undefined) && parts.some(part => /[^./]/.test(part))
  return isPath ? resolve(folder, ...parts) : undefined
}

function partsAfter(whole: Node, parent: Node): (string | undefined)[] | undefined {
  switch (parent.type) {
    case 'NewExpression':
      return parent.arguments[1] === whole ? [pathOf(literalText(parent.arguments[0]))] : undefined
    case 'CallExpression':
      if (parent.arguments[0] !== whole || !/^(join|resolve)$/.test(nameOf(parent.callee) ?? '')) return undefined
      return parent.arguments.slice(1).map(literalText)
    case 'BinaryExpression':
      return parent.operator === '+' && parent.left === whole ? [below(literalText(parent.right))] : undefined
    case 'TemplateLiteral':
      if (parent.expressions.length !== 1 || parent.quasis[0]?.value.raw !== '') return undefined
      return [below(parent.quasis[1]?.value.cooked ?? undefined)]
    default:
      return undefined
  }
}

function nameOf(callee: Node): string | undefined {
  return callee.type === 'Identifier' ? callee.name : memberName(callee)
}

/** The path of a relative URL. */
function pathOf(url: string | undefined): string | undefined {
  if (url === undefined || /^([\w-]+:|\/)/.test(url)) return undefined
  return decodeURIComponent(url.replace(/[?#].*/s, ''))
}

function below(text: string | undefined): string | undefined {
  return text?.startsWith('/') ? `.${text}` : undefined
}
