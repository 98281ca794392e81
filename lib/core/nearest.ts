/**
 * Those of the known words that `word` may have been meant as: the nearest ones; if all are too far, those that it begins;
 * else none. Case is no difference.
 */
export function nearest(word: string, known: Iterable<string>): string[] {
  const meant = word.toLowerCase()
  const words = [...new Set(known)]
  const near = withFewestSlips(meant, words)
  if (near.length > 0 || meant.length < leastBeginning) return near
  return words.filter(each => each.toLowerCase().startsWith(meant))
}

/** Fewer letters than this begin too many words. */
const leastBeginning = 3

function withFewestSlips(meant: string, known: readonly string[]): string[] {
  let least = Math.max(1, Math.floor(meant.length * 0.4))
  let found: string[] = []
  for (const each of known) {
    const steps = distance(meant, each.toLowerCase(), least)
    if (steps > least) continue
    if (steps < least) found = []
    least = steps
    found.push(each)
  }
  return found
}

/** ` Did you mean 'schedule'?`, to be put behind a sentence; nothing if nothing is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  return suggestion(nearest(word, known))
}

/** The same of words that have been found by other means. */
export function suggestion(near: readonly string[]): string {
  const words = near.map(each => `'${each}'`)
  const last = words.pop()
  if (last === undefined) return ''
  return ` Did you mean ${words.length === 0 ? last : `${words.join(', ')} or ${last}`}?`
}

/** How many letters are left out, put in, changed, or swapped with their neighbour; more than `most` is not counted. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let steps = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwapped) steps = Math.min(steps, beforeLast[j - 2]! + 1)
      row.push(steps)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
