import type { Command } from 'commander'
import { flowRunJson } from './as-json.js'
import { deploymentJson } from './deployment-json.js'
import { describeDeployment, type InspectedDeployment } from './describe-deployment.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { nextTime } from './next-time.js'
import { printJson, printLine } from './print.js'
import { withScheduled } from './scheduled-runs.js'
import { deploymentsIn, readStore } from './store.js'

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka deployment inspect report/daily')
    .action(inspect)
}

const runsShown = 5

async function inspect(word: string, { json }: { json?: true }): Promise<void> {
  const found = await readStore(async (store): Promise<InspectedDeployment> => {
    const deployments = await deploymentsIn(store)
    const record = await findDeployment(deployments, word)
    const next = nextTime(record, await deployments.scheduled({ deployment: record.id }), Date.now())
    const flowRuns = await withScheduled(store).listFlowRuns({ deployment: [record.id], limit: runsShown })
    return { record, next, flowRuns }
  })
  if (!json) return printLine(describeDeployment(found))
  const { record, next, flowRuns } = found
  printJson({ ...deploymentJson(record, next), flowRuns: flowRuns.map(flowRunJson) })
}
