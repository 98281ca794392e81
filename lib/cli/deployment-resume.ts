import type { Command } from 'commander'
import { deploymentJson } from './deployment-json.js'
import { coloredId } from './deployment-text.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { nextTime } from './next-time.js'
import { ago, colorsOf, printJson, printLine } from './print.js'
import { changeDeployments } from './store.js'

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Its schedule goes on from now: what would have been due while it was paused is not made up for.

Example:
  $ mintaka deployment resume report/daily`,
    )
    .action(resume)
}

async function resume(word: string, { json }: { json?: true }): Promise<void> {
  const { before, after, next } = await changeDeployments(async deployments => {
    const before = await findDeployment(deployments, word)
    const after = await deployments.resume(before.id)
    const scheduled = await deployments.scheduled({ deployment: after.id })
    return { before, after, next: nextTime(after, scheduled, Date.now()) }
  })
  if (json) return printJson(deploymentJson(after, next))
  const palette = colorsOf(process.stdout)
  const note = before.paused ? '' : ', which was not paused'
  const then = next === undefined ? '' : `  next ${ago(next)}`
  printLine(`${palette.green('resumed')}  ${coloredId(after, palette)}${note}${then}`)
}
