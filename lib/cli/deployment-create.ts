import type { Command } from 'commander'
import { isMintakaError } from '../core/errors.js'
import type { Deployments } from '../deployments/deployments.js'
import type { DeploymentRecord } from '../deployments/record.js'
import { errorJson } from './as-json.js'
import { coloredId, scheduleText } from './deployment-text.js'
import { DeploymentFiles, type FoundDeployment } from './load/deployments.js'
import { clean, colorsOf, Failure, printJson, printLine } from './print.js'
import { printError } from './print-error.js'
import { changeDeployments } from './store.js'

export function define(command: Command): void {
  command
    .argument('<file...>', 'JavaScript or TypeScript that calls deployment(), or YAML')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(create)
}

const help = `
The deployments of a file are entered in the store; one of the same id is replaced. Nothing runs by that: what is
scheduled is run by mintaka agent start.

In YAML, a deployment is a mapping, or there is a list of them:

  name: daily
  flow: report.ts:monthly      # seen from this file
  parameters: { year: 2026 }
  schedule: { cron: '0 7 * * 1-5', timezone: Europe/Vienna }

Examples:
  $ mintaka deployment create report.ts
  $ mintaka deployment create deployments.yaml`

/** What became of a deployment. */
type Outcome =
  | { readonly result: 'created' | 'replaced'; readonly record: DeploymentRecord }
  | { readonly result: 'failed'; readonly label: string; readonly error: unknown }

async function create(files: readonly string[], { json }: { readonly json?: true }): Promise<void> {
  const found: FoundDeployment[] = []
  const all = new DeploymentFiles()
  for (const file of files) found.push(...(await foundIn(all, file)))
  const outcomes = await changeDeployments(deployments => enter(deployments, found))
  if (outcomes.some(({ result }) => result === 'failed')) process.exitCode = 1
  if (json) printJson(outcomes.map(outcomeJson))
  else for (const outcome of outcomes) tell(outcome)
}

async function foundIn(all: DeploymentFiles, file: string): Promise<readonly FoundDeployment[]> {
  try {
    return await all.find(file)
  } catch (error) {
    return [{ label: file, error }]
  }
}

/** Enters what has been found, one after the other: what one is refused for does not keep the others out. */
async function enter(deployments: Deployments, found: readonly FoundDeployment[]): Promise<Outcome[]> {
  const ids = new Set((await deployments.list()).map(({ id }) => id))
  const outcomes: Outcome[] = []
  for (const each of found) {
    if (!('deployment' in each)) {
      outcomes.push({ result: 'failed', ...each })
      continue
    }
    try {
      const record = await deployments.create(each.deployment)
      outcomes.push({ result: ids.has(record.id) ? 'replaced' : 'created', record })
      ids.add(record.id)
    } catch (error) {
      outcomes.push({ result: 'failed', label: each.label, error })
    }
  }
  return outcomes
}

function tell(outcome: Outcome): void {
  if (outcome.result === 'failed') {
    process.stderr.write(`${colorsOf(process.stderr).red('failed')}    ${clean(outcome.label)}\n`)
    return printError(outcome.error)
  }
  const { record, result } = outcome
  const { schedule, paused } = record
  const palette = colorsOf(process.stdout)
  const when = schedule ? `  ${scheduleText(schedule)}${paused ? ', paused' : ''}` : ''
  printLine(`${palette.green(result.padEnd(8))}  ${coloredId(record, palette)}${when}`)
}

function outcomeJson(outcome: Outcome) {
  const { result } = outcome
  if (result === 'failed') return { result, deployment: outcome.label, error: reasonJson(outcome.error) }
  return { result, deployment: outcome.record.id }
}

/** A sentence of ours needs no stack. */
function reasonJson(error: unknown) {
  if (!(error instanceof Failure) && !isMintakaError(error)) return errorJson(error)
  const { message, cause } = error
  const code = isMintakaError(error) ? error.code : undefined
  return { message, code, ...(error instanceof Failure && cause !== undefined && { cause: errorJson(cause) }) }
}
