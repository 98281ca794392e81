import { resolve } from 'node:path'
import { clean } from '../print.js'
import { definedVerb } from '../program.js'
import { groups, verbs } from '../verbs.js'
import { complete } from './complete.js'
import { values } from './values.js'

/**
 * What the scripts of shells ask: `mintaka __complete -- WORD… CURRENT`. A line for each word that may stand there, with a tab and
 * a description; `:files` where files may. It never fails and says nothing else.
 */
export async function answer(words: readonly string[]): Promise<void> {
  const home = words.findLastIndex((word, index) => word.startsWith('--home') && index < words.length - 1)
  const folder = home < 0 ? undefined : (/^--home=(.*)$/s.exec(words[home]!)?.[1] ?? words[home + 1])
  if (folder) process.env['MINTAKA_HOME'] = resolve(folder)
  const summaries = Object.fromEntries(Object.entries(verbs).map(([verb, { summary }]) => [verb, summary]))
  try {
    const { candidates, files } = await complete(words, { verbs: summaries, groups, define: definedVerb, values })
    const lines = new Set(candidates.map(({ word, description }) => lineOf(word, description)))
    if (files) lines.add(':files')
    process.stdout.write([...lines].map(line => `${line}\n`).join(''))
  } catch {
    // Whoever writes a command line is not to be disturbed.
  }
}

function lineOf(word: string, description: string | undefined): string {
  return description === undefined ? clean(word) : `${clean(word)}\t${clean(description)}`
}
