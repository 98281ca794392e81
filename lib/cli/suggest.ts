import { nearest } from '../core/nearest.js'

/** The verbs that somebody may have meant who wrote these words: by a slip, or because the first word is missing. */
export function verbsLike([first = '', second]: readonly string[], verbs: readonly string[]): string[] {
  const firsts = [...new Set(verbs.map(verb => verb.split(' ')[0]!))]
  const starts = firsts.includes(first) ? [first] : nearest(first, firsts)
  const inGroups = starts.flatMap(start => withSecond(start, second, verbs))
  if (inGroups.length > 0) return inGroups
  if (starts.length > 0) return starts
  const seconds = verbs.filter(verb => verb.includes(' ')).map(verb => verb.split(' ')[1]!)
  const meant = nearest(first, seconds)
  return verbs.filter(verb => meant.includes(verb.split(' ')[1] ?? ''))
}

function withSecond(first: string, second: string | undefined, verbs: readonly string[]): string[] {
  const own = verbs.filter(verb => verb.startsWith(`${first} `)).map(verb => verb.slice(first.length + 1))
  if (second === undefined || own.length === 0) return []
  return nearest(second, own).map(each => `${first} ${each}`)
}
