import type { Command } from 'commander'
import { verifyStore } from '../store/verify.js'
import { clean, printJson, printLine } from './print.js'
import { useFolder } from './store.js'

export function define(command: Command): void {
  command
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nIt changes nothing. The exit code is 1 if something is damaged.\n\nExample:\n  $ mintaka store verify',
    )
    .action(verify)
}

async function verify({ json }: { json?: true }): Promise<void> {
  const { lines, flowRuns, resultFiles, problems } = await useFolder('read', verifyStore)
  if (json) printJson({ lines, flowRuns, resultFiles, problems })
  else {
    for (const { path, offset, problem } of problems)
      printLine(`${clean(path)}${offset === undefined ? '' : ` at byte ${offset}`}: ${problem}`)
    const checked = `${flowRuns} flow runs in ${lines} lines, ${resultFiles} files of results`
    printLine(problems.length === 0 ? `All is well: ${checked}.` : `${problems.length} problems: ${checked}.`)
  }
  if (problems.length > 0) process.exitCode = 1
}
