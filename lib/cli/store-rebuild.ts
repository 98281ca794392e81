import { join } from 'node:path'
import type { Command } from 'commander'
import { makeFolder, temporaryName } from '../store/files.js'
import type { Catalogue } from '../store/history/catalogue.js'
import { rebuildCatalogue, withLock } from '../store/open-catalogue.js'
import { printJson, printLine } from './print.js'
import { useFolder } from './store.js'

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
  const warnings: string[] = []
  const { generation, segments } = await useFolder('rebuilt', folder => rebuilt(folder, warnings))
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
