import { resolve } from 'node:path'
import { Command, CommanderError } from 'commander'
import { groups, type VerbEntry, verbs } from './verbs.js'
import { versionText } from './versions.js'

/** Carries out a command line. Gives the exit code: 0, 1 for what failed, 2 for a command that makes no sense. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const [first, ...rest] = args
    // `help run` knows only what is defined at once; `run --help` knows the verb.
    await program().parseAsync(first === 'help' ? [...rest, '--help'] : args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { printError } = await import('./print-error.js')
    printError(error)
    return 1
  }
}

function program(): Command {
  const root = new Command('mintaka')
    .description('Runs flows, and tells what became of them.')
    .option('--home <folder>', 'the folder of the store (default: MINTAKA_HOME, else ~/.mintaka)')
    .version(versionText(), '--version', 'print the versions of mintaka and Node')
    .helpOption('-h, --help', 'tell how a command is used')
    .helpCommand('help [command]', 'tell how a command is used')
    .addHelpText('after', examples)
    .exitOverride()
    .on('option:home', (folder: string) => {
      process.env['MINTAKA_HOME'] = resolve(folder)
    })
  for (const [name, entry] of Object.entries(verbs)) addVerb(root, name, entry)
  return root
}

/** The command is known by its summary; what else it takes is defined when it is used. */
function addVerb(root: Command, fullName: string, { summary, load }: VerbEntry): void {
  const [first = '', second] = fullName.split(' ')
  const group = second === undefined ? root : groupOf(root, first)
  const command = group.command(second ?? first).description(summary)
  group.hook('preSubcommand', async (_, chosen) => {
    if (chosen === command) (await load()).define(chosen)
  })
}

function groupOf(root: Command, name: string): Command {
  const known = root.commands.find(command => command.name() === name)
  return (
    known ??
    root
      .command(name)
      .description(groups[name] ?? '')
      .helpCommand(false)
  )
}

const examples = `
Examples:
  $ mintaka run report.ts
  $ mintaka run report.ts:monthly --params '{"year":2026}' --executor parallel
  $ mintaka flow-run ls --state failed
  $ mintaka flow-run inspect eager-otter
  $ mintaka flow-run resume eager-otter

Environment:
  MINTAKA_HOME  the folder of the store
  MINTAKA_LOG   debug, info, warn, error or silent: what is logged on stderr
  NO_COLOR      no colours, if it is set`
