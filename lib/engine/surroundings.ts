import { adjectives, nouns } from 'human-id'
import { customAlphabet } from 'nanoid'
import { longestTimer, type Surroundings } from '../core/surroundings.js'

// No '-' and no '_': an id never looks like an option on a command line, and a double click selects all of it.
const newId = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 16)

/** The real clock, and ids with 82 bits of chance. */
export const realSurroundings: Surroundings = {
  now: () => Date.now(),
  timer(ms, callback) {
    let timer: NodeJS.Timeout
    const arm = (ms: number) => {
      timer = setTimeout(() => (ms > longestTimer ? arm(ms - longestTimer) : callback()), Math.min(ms, longestTimer))
    }
    arm(ms)
    return () => clearTimeout(timer)
  },
  newId: () => newId(),
  newName: () => `${anyOf(adjectives)}-${anyOf(nouns)}`,
}

function anyOf(words: readonly string[]): string {
  return (words[Math.floor(Math.random() * words.length)] ?? 'plain').toLowerCase()
}
