import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { isNobodyThere } from '../deployments/agents.js'
import { checkParameters, documentsOf, merged, type RunRequest } from '../deployments/deployments.js'
import type { DeploymentRecord } from '../deployments/record.js'
import { flowRunJson } from './as-json.js'
import { coloredId } from './deployment-text.js'
import { deploymentArgument, findDeployment } from './find-deployment.js'
import { flowOfDeployment } from './load/deployed-flow.js'
import { type Params, paramsOption } from './params.js'
import { ago, clean, colorsOf, printJson, printLine } from './print.js'
import { asFlowRun } from './scheduled-runs.js'
import { changeStore, deploymentsIn, readStore } from './store.js'
import { timeOption } from './time-option.js'

interface Options {
  readonly params?: Params
  readonly at?: number
  readonly name?: string
  readonly json?: true
}

export function define(command: Command): void {
  command
    .argument(...deploymentArgument)
    .addOption(paramsOption('parameters, over those of the deployment'))
    .addOption(
      new Option('--at <time>', 'when it is to begin, such as 2026-10-01T09:00 (default: now)').argParser(timeOption),
    )
    .option('--name <name>', 'the name of the flow run (default: two words)')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(run)
}

const help = `
A run is scheduled, and an agent begins it: mintaka agent start. Whether the deployment is paused makes no difference.

Examples:
  $ mintaka deployment run report/daily
  $ mintaka deployment run report/daily --params '{"year":2025}' --at 2026-10-01T09:00`

async function run(word: string, { params, at, name, json }: Options): Promise<void> {
  const record = await readStore(async store => findDeployment(await deploymentsIn(store), word))
  if (params) await check(record, params.value)
  const request: RunRequest = { ...(params && { parameters: params.value }), at, name }
  const { scheduled, isAlone } = await changeStore(async store => ({
    scheduled: await (await deploymentsIn(store)).run(record.id, request),
    isAlone: await isNobodyThere(documentsOf(store)),
  }))
  const now = Date.now()
  if (isAlone) process.stderr.write('No agent is there to begin it: mintaka agent start.\n')
  if (json) return printJson(flowRunJson(asFlowRun(scheduled, now)))
  const palette = colorsOf(process.stdout)
  const { id, scheduledTime } = scheduled
  const parts = [
    palette.green('scheduled'),
    coloredId(record, palette),
    clean(scheduled.name),
    id,
    ago(scheduledTime, now),
  ]
  printLine(parts.join('  '))
}

/** Parameters that don't fit are refused at once, if the flow can be asked: its file may be on the agent's machine only. */
async function check(record: DeploymentRecord, given: unknown): Promise<void> {
  if (record.file === undefined || !existsSync(record.file)) return
  await checkParameters({ flow: await flowOfDeployment(record) }, merged(record.parameters, given))
}
