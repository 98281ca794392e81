import type { Command } from 'commander'
import type { FlowRun } from '../core/run.js'
import { isTerminal } from '../core/state.js'
import { bytesText } from './bytes.js'
import { confirm } from './confirm.js'
import { findBegunFlowRun } from './find-run.js'
import { clean, Failure, printJson, printLine } from './print.js'
import { changeStore, readStore } from './store.js'

interface Options {
  readonly yes?: true
  readonly dryRun?: true
  readonly json?: true
}

export function define(command: Command): void {
  command
    .argument('<run...>', 'ids of flow runs, or how these begin, or their names')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'tell what would be removed, and remove nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(remove)
}

const help = `
Flow runs go that have ended, with their subflow runs, task runs, logs, results and idempotency keys: all of them, or
none if one cannot go. mintaka store prune removes the old ones.

Examples:
  $ mintaka flow-run delete eager-otter
  $ mintaka flow-run delete 9hx1k2 plain-wren --yes`

async function remove(words: readonly string[], { yes, dryRun, json }: Options): Promise<void> {
  const runs = await readStore(async store => {
    const found = new Map<string, Readonly<FlowRun>>()
    for (const word of words) {
      const { run, ownerGone } = await findBegunFlowRun(store, word)
      if (!isTerminal(run.state) && !ownerGone) throw goesOn(run)
      found.set(run.id, run)
    }
    return [...found.values()]
  })
  const ids = runs.map(({ id }) => id)
  const { flowRuns: count } = await changeStore(store => store.deleteFlowRuns(ids, { dryRun: true }))
  if (dryRun) return json ? printJson({ flowRuns: count, bytes: 0, claims: 0, dryRun }) : printLine(wouldGo(count))
  const names = runs.map(({ name, flowName }) => `${clean(name)} of flow ${clean(flowName)}`).join(', ')
  const below = count > runs.length ? `, with ${count - runs.length} subflow runs` : ''
  if (!yes && !(await confirm(`Delete ${names}${below}?`, '--yes'))) {
    process.exitCode = 1
    return
  }
  const removed = await changeStore(store => store.deleteFlowRuns(ids))
  if (json) return printJson({ ...removed, dryRun: false })
  const { flowRuns, bytes } = removed
  printLine(`${flowRuns} flow ${flowRuns === 1 ? 'run has' : 'runs have'} been deleted, ${bytesText(bytes)}.`)
}

function wouldGo(count: number): string {
  return `${count} flow ${count === 1 ? 'run' : 'runs'} would be deleted.`
}

function goesOn({ name, state }: Readonly<FlowRun>): Failure {
  const fix = `mintaka flow-run cancel ${clean(name)} ends it.`
  return new Failure(`Flow run '${clean(name)}' has not ended: it is ${state.name}. ${fix}`)
}
