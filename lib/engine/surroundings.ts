import { adjectives, nouns } from 'human-id'
import { customAlphabet } from 'nanoid'
import type { Surroundings } from '../core/surroundings.js'

// No '-' and no '_': an id never looks like an option on a command line, and a double click selects all of it.
const newId = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 16)

/** The real clock, and ids with 82 bits of chance. */
export const realSurroundings: Surroundings = {
  now: () => Date.now(),
  timer(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, longest))
    return () => clearTimeout(timer)
  },
  newId: () => newId(),
  newName: () => `${anyOf(adjectives)}-${anyOf(nouns)}`,
}

// A longer setTimeout would fire at once. Whoever waits looks at the clock again when called back.
const longest = 2 ** 31 - 1

function anyOf(words: readonly string[]): string {
  return (words[Math.floor(Math.random() * words.length)] ?? 'plain').toLowerCase()
}
