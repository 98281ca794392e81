import { resolve } from 'node:path'
import { Command, CommanderError } from 'commander'
import { folder } from './options.js'
import { goOnUnread } from './output.js'
import { groupHelp, overview } from './overview.js'
import { verbsLike } from './suggest.js'
import { groups, type VerbEntry, verbs } from './verbs.js'
import { versionText } from './versions.js'

/** Carries out a command line of whatever verb. Gives the exit code. */
export async function carryOut(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(withoutHelp(args), { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { printError } = await import('./print-error.js')
    printError(error)
    return 1
  }
}

/** `help run` as `run --help`, which knows all of the verb. */
function withoutHelp([first, ...rest]: readonly string[]): readonly string[] {
  if (first !== 'help') return first === undefined ? [] : [first, ...rest]
  const words = rest.join(' ')
  return words in verbs || words in groups ? [...rest, '--help'] : rest.slice(0, 2)
}

/** One verb with its options and arguments. */
export async function definedVerb(name: string): Promise<Command> {
  const command = new Command(name)
  const { define } = await verbs[name]!.load()
  define(command)
  return command
}

function program(): Command {
  const root = new Command('mintaka')
    .addOption(folder('--home <folder>', 'the folder of the store (default: MINTAKA_HOME, else ~/.mintaka)'))
    .version(versionText(), '--version', 'print the versions of mintaka and Node')
    .helpOption('-h, --help', 'tell how this command is used')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .on('option:home', (path: string) => {
      process.env['MINTAKA_HOME'] = resolve(path)
    })
    .on('command:*', (words: string[]) => unknown(root, words))
  root.helpInformation = () => `${overview()}\n`
  for (const [name, entry] of Object.entries(verbs)) addVerb(root, name, entry)
  return root
}

/** The command is known by its summary; what else it takes is defined when it is used. */
function addVerb(root: Command, fullName: string, { summary, load, acts }: VerbEntry): void {
  const [first = '', second] = fullName.split(' ')
  const group = second === undefined ? root : groupOf(root, first)
  const command = group.command(second ?? first).description(summary)
  group.hook('preSubcommand', async (_, chosen) => {
    if (chosen !== command) return
    if (acts) goOnUnread()
    ;(await load()).define(chosen)
  })
}

function groupOf(root: Command, name: string): Command {
  const known = root.commands.find(command => command.name() === name)
  if (known) return known
  const group = root
    .command(name)
    .description(groups[name] ?? '')
    .helpCommand(false)
    .on('command:*', (words: string[]) => unknown(group, [name, ...words]))
  group.helpInformation = () => `${groupHelp(name)}\n`
  return group
}

function unknown(command: Command, words: readonly string[]): never {
  const near = verbsLike(words, Object.keys(verbs))
  const meant = near.length > 1 ? `one of ${near.join(', ')}` : near[0]
  const fix = meant === undefined ? 'mintaka --help lists what there is.' : `(Did you mean ${meant}?)`
  return command.error(`error: unknown command '${words.slice(0, command.parent ? 2 : 1).join(' ')}'\n${fix}`)
}
