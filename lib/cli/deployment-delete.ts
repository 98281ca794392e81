import type { Command } from 'commander'
import { confirm } from './confirm.js'
import { coloredId } from './deployment-text.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { clean, colorsOf, printLine } from './print.js'
import { changeDeployments, deploymentsIn, readStore } from './store.js'

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
Its runs go that have been scheduled and that nobody has begun. What runs goes on, and what has run is kept.
On a terminal you are asked first; elsewhere --yes is needed.

Example:
  $ mintaka deployment delete report/daily --yes`,
    )
    .action(remove)
}

async function remove(word: string, { yes = false }: { readonly yes?: boolean }): Promise<void> {
  const { record, waiting } = await readStore(async store => {
    const deployments = await deploymentsIn(store)
    const record = await findDeployment(deployments, word)
    const scheduled = await deployments.scheduled({ deployment: record.id })
    return { record, waiting: scheduled.filter(run => run.takenBy === undefined).length }
  })
  const runs = waiting === 0 ? '' : ` with ${waiting} scheduled run${waiting === 1 ? '' : 's'}`
  if (!yes && !(await confirm(`Delete deployment ${clean(record.id)}${runs}?`, '--yes'))) {
    process.exitCode = 1
    return
  }
  await changeDeployments(deployments => deployments.delete(record.id))
  const palette = colorsOf(process.stdout)
  printLine(`${palette.yellow('deleted')}  ${coloredId(record, palette)}${runs}`)
}
