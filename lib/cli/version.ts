import type { Command } from 'commander'
import { printJson, printLine } from './print.js'
import { versions, versionText } from './versions.js'

export function define(command: Command): void {
  command
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka version --json')
    .action(({ json }: { json?: true }) => (json ? printJson(versions()) : printLine(versionText())))
}
