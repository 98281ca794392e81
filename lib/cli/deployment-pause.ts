import type { Command } from 'commander'
import { deploymentJson } from './deployment-json.js'
import { coloredId } from './deployment-text.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { nextTime } from './next-time.js'
import { colorsOf, printJson, printLine } from './print.js'
import { changeDeployments } from './store.js'

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Its schedule rests until it is resumed. Runs that have been scheduled already still run, and so does what
mintaka deployment run asks for.

Example:
  $ mintaka deployment pause report/daily`,
    )
    .action(pause)
}

async function pause(word: string, { json }: { json?: true }): Promise<void> {
  const { before, after, next } = await changeDeployments(async deployments => {
    const before = await findDeployment(deployments, word)
    const after = await deployments.pause(before.id)
    const scheduled = await deployments.scheduled({ deployment: after.id })
    return { before, after, next: nextTime(after, scheduled, Date.now()) }
  })
  if (json) return printJson(deploymentJson(after, next))
  const palette = colorsOf(process.stdout)
  printLine(`${palette.yellow('paused')}  ${coloredId(after, palette)}${before.paused ? ', as it was' : ''}`)
}
