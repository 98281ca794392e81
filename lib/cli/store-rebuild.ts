import { join } from 'node:path'
import type { Command } from 'commander'
import type { Catalogue } from '../store/catalogue.js'
import { makeFolder, temporaryName } from '../store/files.js'
import { JsonStore } from '../store/json.js'
import { rebuildCatalogue, withLock } from '../store/open-catalogue.js'
import { rebuildFailed } from '../store/store-errors.js'
import { printJson, printLine } from './print.js'

export function define(command: Command): void {
  command
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nWhat the catalogue was before is kept beside it. Others may use the store meanwhile.\n\nExample:\n  $ mintaka store rebuild',
    )
    .action(rebuild)
}

async function rebuild({ json }: { json?: true }): Promise<void> {
  const { folder } = new JsonStore()
  const warnings: string[] = []
  const { generation, segments } = await rebuilt(folder, warnings).catch(error => {
    // What the system refuses is told with what to do; all else is as it was thrown.
    throw error instanceof Error && 'syscall' in error ? rebuildFailed(folder, error) : error
  })
  const flowRuns = segments.reduce((sum, { runs }) => sum + runs, 0)
  if (json) return printJson({ generation, flowRuns, segments: segments.length, warnings })
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  printLine(`Catalogue and index have been rebuilt: ${flowRuns} flow runs in ${segments.length} files of the history.`)
}

async function rebuilt(folder: string, warnings: string[]): Promise<Catalogue> {
  makeFolder(join(folder, 'tmp'))
  const temporary = () => join(folder, 'tmp', temporaryName())
  return withLock(folder, temporary, () => rebuildCatalogue(folder, message => warnings.push(message), temporary))
}
