import type { Command } from 'commander'
import { MintakaError } from '../core/errors.js'
import { didYouMean } from '../core/nearest.js'
import type { FlowRun } from '../core/run.js'
import type { StoredRun } from '../core/store.js'
import { type JournalInfo, journalsInfo } from '../store/info.js'
import { JsonStore } from '../store/json.js'
import { flowRunJson } from './as-json.js'
import { confirm } from './confirm.js'
import { clean, coloredState, colorsOf, Failure, printJson, printLine } from './print.js'
import { changeStore, readStore } from './store.js'

interface Options {
  readonly owner?: string
  readonly force?: true
  readonly json?: true
}

export function define(command: Command): void {
  command
    .option(
      '--owner <id>',
      'also end the runs of this owner, whose process was on another machine or in another container',
    )
    .option('--force', 'do not ask: that process has died')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
    .action(recover)
}

const help = `
Runs that have not ended, and never will because their process has died, become CRASHED; then they can be resumed. That
happens by itself whenever the store is opened for writing. Whether a process on another machine or in another container
has died cannot be seen from here: say so, with its owner as mintaka store info tells it. What such a process writes from
then on, if it lives after all, is lost.

Examples:
  $ mintaka store recover
  $ mintaka store recover --owner k2m5d20jls9flj8z --force`

async function recover({ owner, force, json }: Options): Promise<void> {
  const deadOwner = owner === undefined ? undefined : await ownerThatMayGo(owner, force)
  const lost = await readStore(async store => {
    const open = await store.listFlowRuns({ state: ['RUNNING', 'PENDING', 'SCHEDULED'] })
    return open.filter(each => each.ownerGone || each.owner === deadOwner)
  })
  await changeStore(store => store.recover({ deadOwner }))
  const ended = await readStore(async store => {
    const all = await Promise.all(lost.map(({ run }) => store.getFlowRun(run.id)))
    return all.filter(each => each !== undefined)
  })
  if (json) return printJson(ended.map(flowRunJson))
  if (ended.length === 0) printLine('There is nothing to recover.')
  for (const each of ended) printLine(lineOf(each))
}

function lineOf({ run }: StoredRun<FlowRun>): string {
  const state = coloredState(run.state, colorsOf(process.stdout))
  return `Flow run ${run.id} ${clean(run.name)} of flow ${clean(run.flowName)} is ${state}.`
}

/** The owner that is meant, by its id or how that begins, whose process cannot be seen from here. */
async function ownerThatMayGo(word: string, force: true | undefined): Promise<string> {
  const journals = await journalsInfo(new JsonStore().folder)
  const { owner, pid, host, state } = journalOf(word, journals)
  const process = `process ${pid} on ${clean(host ?? 'an unknown machine')}`
  if (state === 'alive')
    throw new Failure(`The owner '${owner}' is ${process}, which goes on. End that first: its runs are CRASHED then.`)
  if (state !== 'unknown' || force) return owner
  const question = `Whether ${process} has died cannot be seen from here. If it lives, what it does from now on is lost. End its runs?`
  if (await confirm(question, '--force')) return owner
  throw new Failure('Nothing has been changed.')
}

function journalOf(word: string, journals: readonly JournalInfo[]): JournalInfo {
  const found = journals.filter(({ owner }) => owner.startsWith(word))
  const exact = found.filter(({ owner }) => owner === word)
  const [first, ...others] = exact.length > 0 ? exact : found
  if (!first) {
    const owners = journals.map(({ owner }) => owner)
    const fix = 'mintaka store info lists what there is.'
    throw new MintakaError('NOT_FOUND', `There is no owner '${word}' in the store.${didYouMean(word, owners)} ${fix}`)
  }
  const open = [first, ...others].find(({ state }) => state === 'alive' || state === 'unknown')
  if (others.some(({ owner }) => owner !== first.owner))
    throw new MintakaError(
      'AMBIGUOUS_ID',
      `'${word}' means several owners: ${found.map(({ owner }) => owner).join(', ')}.`,
    )
  return open ?? first
}
