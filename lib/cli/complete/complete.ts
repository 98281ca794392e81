import type { Argument, Command, Option } from 'commander'

/** A word that may stand where the cursor is. */
export interface Candidate {
  readonly word: string
  readonly description?: string | undefined
}

/** What may stand where the cursor is, besides what is in the list: `files` of the folder. */
export interface Completion {
  readonly candidates: readonly Candidate[]
  readonly files: boolean
}

/** What there is to choose from. */
export interface Choices {
  /** Every verb, with its summary. */
  readonly verbs: Readonly<Record<string, string>>
  /** What stands before verbs of two words, with its description. */
  readonly groups: Readonly<Record<string, string>>
  /** A verb with its arguments and options. */
  define(verb: string): Promise<Command>
  /** What an argument or the value of an option may be, of those that begin so; `files`: any file; `undefined`: nobody knows. */
  values(verb: string, what: string, beginning: string): Promise<readonly Candidate[] | 'files' | undefined>
}

const nothing: Completion = { candidates: [], files: false }
const home = { word: '--home', description: 'the folder of the store' }
const help = { word: '--help', description: 'tell how this command is used' }

/** What may stand in the place of the last of these words. It may be empty. */
export async function complete(words: readonly string[], choices: Choices): Promise<Completion> {
  const before = words.slice(0, -1)
  const current = words.at(-1) ?? ''
  if (before.at(-1) === '--home') return { candidates: [], files: true }
  const { verb, rest } = verbOf(withoutHome(before), choices)
  if (verb === undefined) return starting(verbsAfter(rest, choices).filter(isWanted(current)), current)
  return ofVerb(verb, await choices.define(verb), rest, current, choices)
}

/** Options are told to those who have begun one. */
function isWanted(current: string): (candidate: Candidate) => boolean {
  return ({ word }) => current.startsWith('-') || !word.startsWith('-')
}

function withoutHome(words: readonly string[]): string[] {
  return words.filter((word, index) => !/^--home(=|$)/.test(word) && words[index - 1] !== '--home')
}

/** The verb that is used, and what stands behind it; else the words that may become one. */
function verbOf(given: readonly string[], { verbs }: Choices): { verb?: string; rest: string[] } {
  const words = given[0] === 'help' ? given.slice(1) : given
  const lengths = [2, 1].filter(length => words.slice(0, length).join(' ') in verbs)
  const [length] = lengths
  return length === undefined
    ? { rest: [...words] }
    : { verb: words.slice(0, length).join(' '), rest: words.slice(length) }
}

function verbsAfter(words: readonly string[], { verbs, groups }: Choices): Candidate[] {
  const [group, ...others] = words
  const all = Object.entries(verbs)
  if (group === undefined) {
    const single = all.filter(([verb]) => !verb.includes(' '))
    return [...Object.entries(groups), ...single]
      .map(([word, description]) => ({ word, description }))
      .concat(home, help)
  }
  if (others.length > 0 || !(group in groups)) return []
  const own = all.filter(([verb]) => verb.startsWith(`${group} `))
  return [...own.map(([verb, description]) => ({ word: verb.slice(group.length + 1), description })), help]
}

async function ofVerb(
  verb: string,
  command: Command,
  before: readonly string[],
  current: string,
  choices: Choices,
): Promise<Completion> {
  const { open, used, count } = read(before, command)
  const [, flag, beginning] = /^(--[\w-]+)=(.*)$/s.exec(current) ?? []
  const asked = open ?? (flag === undefined ? undefined : optionOf(command, flag))
  if (asked) {
    const found = await valuesOf(verb, asked, beginning ?? current, choices)
    if (beginning === undefined) return found
    return { files: false, candidates: found.candidates.map(each => ({ ...each, word: `${flag}=${each.word}` })) }
  }
  if (current.startsWith('-')) return starting(optionsLeft(command, used), current)
  const argument = command.registeredArguments[Math.min(count, command.registeredArguments.length - 1)]
  if (!argument || (count >= command.registeredArguments.length && !argument.variadic)) return nothing
  return valuesOf(verb, argument, current, choices)
}

/** The option that waits for its value, the options there are, and how many arguments. */
function read(
  words: readonly string[],
  command: Command,
): { open: Option | undefined; used: Set<Option>; count: number } {
  const used = new Set<Option>()
  let open: Option | undefined
  let count = 0
  for (const word of words) {
    if (open) {
      open = undefined
      continue
    }
    const option = word.startsWith('-') ? optionOf(command, word.split('=')[0]!) : undefined
    if (option) used.add(option)
    else if (!word.startsWith('-')) count += 1
    if (option?.required && !word.includes('=')) open = option
  }
  return { open, used, count }
}

function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find(({ short, long }) => short === flag || long === flag)
}

/** Options that may be repeated have a list as their default. */
function optionsLeft(command: Command, used: ReadonlySet<Option>): Candidate[] {
  const left = command.options.filter(
    option => !option.hidden && (!used.has(option) || Array.isArray(option.defaultValue)),
  )
  return [...left.map(({ long, short, description }) => ({ word: long ?? short ?? '', description })), home, help]
}

async function valuesOf(
  verb: string,
  asked: Option | Argument,
  beginning: string,
  { values }: Choices,
): Promise<Completion> {
  if (asked.argChoices)
    return starting(
      asked.argChoices.map(word => ({ word })),
      beginning,
    )
  const what = 'long' in asked ? (asked.long ?? '') : asked.name()
  const found = await values(verb, what, beginning)
  return found === 'files' ? { candidates: [], files: true } : starting(found ?? [], beginning)
}

function starting(candidates: readonly Candidate[], beginning: string): Completion {
  return { candidates: candidates.filter(({ word }) => word.startsWith(beginning)), files: false }
}
