import { inspect } from 'node:util'
import type { FlowRun, TaskRun } from '../core/run.js'
import type { State } from '../core/state.js'
import type { StoredRun } from '../core/store.js'
import { describeDivergence } from './describe-divergence.js'
import { describeExecutor } from './describe-executor.js'
import { type Gathered, gathered } from './gathered.js'
import {
  ago,
  type Colors,
  clean,
  cleanLines,
  clock,
  coloredState,
  colorOf,
  colorsOf,
  durationOf,
  ownerNote,
  widthOf,
} from './print.js'
import { thrownText } from './print-error.js'
import type { RunTree } from './run-tree.js'
import { type Column, table } from './table.js'

/** All about a flow run, for people: what it is, how it went, what ran in it, and what was thrown. */
export function describeRun(tree: RunTree, options: { readonly all?: boolean | undefined } = {}): string {
  const palette = colorsOf(process.stdout)
  const width = widthOf(process.stdout)
  const parts = [facts(tree, palette), history(tree.flowRun, palette)]
  if (tree.taskRuns.length > 0)
    parts.push(`${palette.bold('Task runs')}\n${taskRuns(tree, width, palette, options.all ? each => each : gathered)}`)
  const { state, executor, executorStats, divergence } = tree.flowRun.run
  if (divergence) parts.push(describeDivergence(divergence, palette))
  if (executorStats) parts.push(describeExecutor(executor, executorStats, width, palette))
  if ('error' in state && state.error !== undefined) {
    parts.push(`${palette.bold('Error')}\n${indented(cleanLines(thrownText(state.error, false)))}`)
  }
  return parts.join('\n\n')
}

function facts({ flowRun, parent }: RunTree, palette: Colors): string {
  const { run } = flowRun
  const { bold, dim } = palette
  const { state } = run
  const message = state.message === undefined ? '' : `: ${cleanLines(state.message)}`
  const due = state.type === 'SCHEDULED' ? state.scheduledTime : run.scheduledTime
  const lines: [string, string | undefined][] = [
    ['id', run.id],
    ['state', `${coloredState(state, palette, ownerNote(flowRun))}${message}`],
    ['created', `${clock(run.created)}, ${ago(run.created)}`],
    ['scheduled', due === undefined ? undefined : `${clock(due)}, ${ago(due)}`],
    ['duration', durationOf(run)],
    ['attempts', run.runCount > 1 ? String(run.runCount) : undefined],
    ['parameters', run.parameters],
    ['executor', run.executor],
    ['version', run.version],
    ['file', run.file],
    ['description', run.description],
    ['tags', run.tags.join(', ')],
    ['deployment', run.deployment],
    ['key', run.idempotencyKey],
    ['part of', parent && `${parent.run.name} of flow ${parent.run.flowName} (${parent.run.id})`],
    ['continues', run.continues],
    ['result', 'result' in state ? resultText(state.result) : undefined],
  ]
  const shown = lines.filter(([, text]) => text !== undefined && text !== '')
  const head = `${bold(clean(run.flowName))} ${clean(run.name)}`
  return [head, ...shown.map(([name, text]) => `  ${dim(name.padEnd(11))} ${text}`)].join('\n')
}

function resultText(result: unknown): string | undefined {
  if (result === undefined) return undefined
  if (typeof result === 'object' && result !== null && 'notPersisted' in result)
    return `not kept: ${result.notPersisted}`
  return cleanLines(inspect(result, { depth: 2, breakLength: 100, maxArrayLength: 20, maxStringLength: 200 }))
    .split('\n')
    .join(`\n${' '.repeat(14)}`)
}

function history({ states }: StoredRun<FlowRun>, palette: Colors): string {
  const lines = states.map(state => {
    const name = coloredState(state, palette) + ' '.repeat(Math.max(0, 13 - state.name.length))
    return `  ${palette.dim(clock(state.timestamp))}  ${name}  ${clean(detail(state))}`.trimEnd()
  })
  return [palette.bold('States'), ...lines].join('\n')
}

function detail(state: State): string {
  const attempt = 'attempt' in state && state.attempt > 1 ? `attempt ${state.attempt}` : ''
  return [attempt, state.message].filter(Boolean).join(', ')
}

// --- the tree of task runs

const columns: readonly Column[] = [
  { head: '  task run', mayShrink: true },
  { head: 'state' },
  { head: 'duration' },
  { head: 'attempts' },
  { head: 'inputs', mayShrink: true },
]

type Choose = typeof gathered

function taskRuns(tree: RunTree, width: number, palette: Colors, choose: Choose): string {
  return table(columns, rowsOf(tree, '  ', palette, choose), width, palette)
}

function rowsOf({ taskRuns }: RunTree, indent: string, palette: Colors, choose: Choose): string[][] {
  const names = namesOf(taskRuns)
  const chosen = choose(taskRuns)
  return chosen.flatMap((each, index) => {
    const isLast = index === chosen.length - 1
    const branch = indent + (isLast ? '└─ ' : '├─ ')
    if ('count' in each) return [gatheredRow(each, branch, palette)]
    const { taskRun, child } = each
    const row = rowOf(taskRun, child, branch, names, palette)
    return child ? [row, ...rowsOf(child, indent + (isLast ? '   ' : '│  '), palette, choose)] : [row]
  })
}

/** Gives the names of runs by their ids. They are many, and asked for where one took something of another. */
function namesOf(taskRuns: RunTree['taskRuns']): (id: string) => string {
  let names: Map<string, string> | undefined
  return id => {
    if (!names) {
      names = new Map()
      for (const { taskRun } of taskRuns) {
        const { id: taskRunId, childFlowRunId, name } = taskRun.run
        names.set(taskRunId, name)
        if (childFlowRunId !== undefined) names.set(childFlowRunId, name)
      }
    }
    return names.get(id) ?? id
  }
}

function gatheredRow({ taskName, count, first }: Gathered, branch: string, palette: Colors): string[] {
  const { state } = first.taskRun.run
  const own = `${palette.bold(clean(taskName))} × ${count}`
  return [palette.dim(branch) + own, coloredState(state, palette), '', '', palette.dim('--all lists each of them')]
}

function rowOf(
  taskRun: StoredRun<TaskRun>,
  child: RunTree | undefined,
  branch: string,
  names: (id: string) => string,
  palette: Colors,
): string[] {
  const { run } = taskRun
  const own = child ? `${palette.bold(clean(run.taskName))} ${clean(child.flowRun.run.name)}` : clean(run.name)
  const { state } = run
  const why = state.type === 'COMPLETED' || state.message === undefined ? '' : firstLine(state.message)
  const inputs = run.inputs.flatMap(({ runs = [] }) => runs.map(id => clean(names(id))))
  const from = inputs.length === 0 ? '' : `← ${[...new Set(inputs)].join(', ')}`
  return [
    palette.dim(branch) + own,
    coloredState(state, palette, ownerNote(taskRun)),
    durationOf(run),
    run.runCount > 1 ? String(run.runCount) : '',
    [colorOf(state.type, palette)(why), from].filter(Boolean).join('  '),
  ]
}

function firstLine(text: string): string {
  return clean(text.split('\n', 1)[0] ?? '')
}

function indented(text: string): string {
  return text
    .split('\n')
    .map(line => `  ${line}`.trimEnd())
    .join('\n')
}
