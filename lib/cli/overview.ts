import { groups, type VerbEntry, verbs } from './verbs.js'

/** What `mintaka --help` says. */
export function overview(): string {
  return `${head}\n\nCommands:\n${listed(Object.entries(verbs))}\n\n${tail}`
}

/** What stands before a verb of two words, with the verbs that it may stand before. */
export function groupHelp(group: string): string {
  const own = Object.entries(verbs).filter(([name]) => name.startsWith(`${group} `))
  const title = `Usage: mintaka ${group} <command>\n\n${groups[group]}`
  return `${title}\n\nCommands:\n${listed(own)}\n\nmintaka ${group} <command> --help tells how it is used, with examples.`
}

function listed(entries: readonly (readonly [name: string, entry: VerbEntry])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`).join('\n')
}

const head = `Usage: mintaka <command> [options]

Runs flows, and tells what became of them. mintaka <command> --help tells how a command is used, with examples.`

const tail = `Options:
  --home <folder>  the folder of the store (default: MINTAKA_HOME, else ~/.mintaka)
  --version        print the versions of mintaka and Node
  -h, --help       tell how a command is used

Examples:
  $ mintaka run report.ts
  $ mintaka run report.ts:monthly --params '{"year":2026}' --executor parallel
  $ mintaka flow-run ls --state failed
  $ mintaka flow-run inspect eager-otter
  $ mintaka flow-run resume eager-otter

Environment:
  MINTAKA_HOME  the folder of the store
  MINTAKA_LOG   debug, info, warn, error or silent: what is logged on stderr
  NO_COLOR      no colours, if it is set
  FORCE_COLOR   colours even where there is no terminal`
