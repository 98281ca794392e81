import type { Command } from 'commander'
import { flowRunJson, inputJson, stateJson, taskRunJson } from './as-json.js'
import { describeRun } from './describe-run.js'
import { findFlowRun } from './find-run.js'
import { printJson, printLine } from './print.js'
import { growTree, type RunTree } from './run-tree.js'
import { withScheduled } from './scheduled-runs.js'
import { readStore } from './store.js'

export function define(command: Command): void {
  command
    .argument('<run>', 'id of a flow run, or how its id begins, or its name')
    .option('--all', 'list every task run, however many there are')
    .option('--json', 'print JSON: everything')
    .addHelpText('after', '\nExample:\n  $ mintaka flow-run inspect eager-otter')
    .action(inspectRun)
}

async function inspectRun(word: string, { all, json }: { all?: true; json?: true }): Promise<void> {
  const tree = await readStore(async store => growTree(store, await findFlowRun(withScheduled(store), word)))
  if (json) printJson(treeJson(tree))
  else printLine(describeRun(tree, { all }))
}

function treeJson({ flowRun, taskRuns }: RunTree): object {
  return {
    ...flowRunJson(flowRun),
    executorStats: flowRun.run.executorStats,
    divergence: flowRun.run.divergence,
    states: flowRun.states.map(stateJson),
    taskRuns: taskRuns.map(({ taskRun, child }) => ({
      ...taskRunJson(taskRun),
      inputs: taskRun.run.inputs.map(inputJson),
      states: taskRun.states.map(stateJson),
      ...(child && { childFlowRun: treeJson(child) }),
    })),
  }
}
