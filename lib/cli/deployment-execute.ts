import type { Command } from 'commander'
import { runOf } from '../deployments/deployments.js'
import { startRun } from '../deployments/start-run.js'
import type { Engine } from '../engine/engine.js'
import { realSurroundings } from '../engine/surroundings.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { flowOfDeployment } from './load/deployed-flow.js'
import { type Params, paramsOption } from './params.js'
import { runToEnd, storeTimeoutOption, tellEnd } from './run-to-end.js'
import { deploymentsIn, readStore } from './store.js'

interface Options {
  readonly params?: Params
  readonly storeTimeout: number
}

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .addOption(paramsOption('parameters, over those of the deployment'))
    .addOption(storeTimeoutOption())
    .addHelpText('after', help)
    .action(execute)
}

const help = `
It runs at once, in this process and without an agent; whether it is paused makes no difference. Progress, result and
exit code are those of mintaka run.

Example:
  $ mintaka deployment execute report/daily`

async function execute(word: string, { params, storeTimeout }: Options): Promise<void> {
  const record = await readStore(async store => findDeployment(await deploymentsIn(store), word))
  const flow = await flowOfDeployment(record)
  const run = runOf(record, params ? { parameters: params.value } : {}, realSurroundings)
  const start = (engine: Engine) => startRun(engine, flow, run, record.limits).future
  tellEnd(await runToEnd(start, { storeTimeoutMs: storeTimeout * 1000 }))
}
