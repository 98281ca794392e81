import { literalText, type Node, untyped } from './syntax.js'

/** What a task lists for workers on other machines. */
export interface Lists {
  /** Packages that are installed there. */
  readonly external: readonly string[]
  /** Files that travel, as they are written: relative to the file of the task. */
  readonly files: readonly string[]
}

export const noLists: Lists = { external: [], files: [] }

/** The keys of `captures` in the options of a task; undefined where only running the file could tell. */
export function captureKeysOf(options: Node | undefined): readonly string[] | undefined {
  if (!options) return []
  const entries = entriesOf(untyped(options))
  if (!entries) return undefined
  const captures = entries.get('captures')
  if (!captures) return []
  const keys = entriesOf(untyped(captures))?.keys()
  return keys && [...keys]
}

/** The lists in the options of a task; undefined where only running the file could tell. */
export function listsOf(options: Node | undefined): Lists | undefined {
  if (!options) return noLists
  const entries = entriesOf(untyped(options))
  const external = entries && textsOf(entries.get('external'))
  const files = entries && textsOf(entries.get('files'))
  return external && files && { external, files }
}

function textsOf(list: Node | undefined): string[] | undefined {
  if (!list) return []
  const node = untyped(list)
  if (node.type !== 'ArrayExpression') return undefined
  const texts = node.elements.map(element => literalText(element ?? undefined))
  return texts.every(text => text !== undefined) ? texts : undefined
}

/** The properties of an object literal, if all of them are plain to see. */
export function entriesOf(node: Node): Map<string, Node> | undefined {
  if (node.type !== 'ObjectExpression') return undefined
  const entries = new Map<string, Node>()
  for (const property of node.properties) {
    if (property.type !== 'Property' || property.computed) return undefined
    const name = property.key.type === 'Identifier' ? property.key.name : literalText(property.key)
    if (name === undefined) return undefined
    entries.set(name, property.value)
  }
  return entries
}
