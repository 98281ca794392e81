import type { Command } from 'commander'
import { coloredId } from './deployment-text.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { colorsOf, printLine } from './print.js'
import { changeDeployments } from './store.js'

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
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

async function pause(word: string): Promise<void> {
  const { before, after } = await changeDeployments(async deployments => {
    const before = await findDeployment(deployments, word)
    return { before, after: await deployments.pause(before.id) }
  })
  const palette = colorsOf(process.stdout)
  printLine(`${palette.yellow('paused')}  ${coloredId(after, palette)}${before.paused ? ', as it was' : ''}`)
}
