import { readFile } from 'node:fs/promises'
import { isWithin, literalText, type Node, nodesOf, parse } from './syntax.js'

/** Whether a file can do without what it imports: whether each `require` or `import()` of it stands in a `try`. */
export async function isGuarded(file: string, specifier: string): Promise<boolean> {
  const { program } = await parse(file, await readFile(file, 'utf8'))
  const nodes = [...nodesOf(program)]
  const imports = nodes.filter(node => importedBy(node) === specifier)
  return imports.length > 0 && imports.every(node => nodes.some(each => isTriedIn(node, each)))
}

function importedBy(node: Node): string | undefined {
  if (node.type === 'ImportDeclaration') return node.source.value
  if (node.type === 'ImportExpression') return literalText(node.source)
  if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier') return undefined
  return node.callee.name === 'require' ? literalText(node.arguments[0]) : undefined
}

function isTriedIn(node: Node, statement: Node): boolean {
  return statement.type === 'TryStatement' && statement.handler !== null && isWithin(node, statement.block)
}
