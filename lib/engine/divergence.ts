import { type CallGroup, describeGroups, maxExamples } from '../core/divergence.js'
import { MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import { type ComparedCall, inputsText } from './done-runs.js'
import type { FlowLife } from './run-flow.js'

/** Writes down how the calls of a flow run differ from those that it continues. `isWhole`: all of them have been made. */
export function noteDivergence({ done, logger, record }: FlowLife, isWhole: boolean): void {
  const report = done.report(isWhole)
  if (!report) return
  record.divergence = report
  const sentence = divergenceSentence(record)
  if (report.diverged) logger.warn(sentence, { run: record.id })
  else logger.info(sentence)
}

/** What a flow run that continues another one made of it, for the log. */
function divergenceSentence({ name, continues, divergence }: FlowRun): string {
  const { diverged = false, notAskedFor = [], notKnown = [], ranAgain = [], reused = [] } = divergence ?? {}
  const parts = [`${countOf(reused)} runs taken over, ${countOf(ranAgain)} run again`]
  if (diverged) parts.push(`had completed, and was not asked for: ${describeGroups(notAskedFor)}`)
  if (notKnown.length > 0) parts.push(`was not known: ${describeGroups(notKnown)}`)
  const what = diverged ? 'its calls are others' : 'done'
  return `Flow run '${name}' continues '${continues}'; ${what}: ${parts.join('; ')}.`
}

/** What a flow run fails with that may not do other things than the run that it continues. */
export function divergedFrom(
  { flowName, name, continues, divergence }: FlowRun,
  calls: readonly ComparedCall[],
): MintakaError {
  const left = divergence?.notAskedFor ?? []
  const made = describeCalls(calls)
  const what = made === '' ? '' : ` It calls ${made}, which had not completed there, and does not ask for what had:`
  const rest = made === '' ? ' It did not ask for what had completed there:' : ''
  const fix = "Bring the code back to what it was, or resume with divergence 'continue'."
  return new MintakaError(
    'DIVERGED',
    `Flow run '${name}' does other things than '${continues}', which it continues.${what}${rest} ${describeGroups(left)}. ${fix}`,
    { flow: flowName },
  )
}

/** How those of its runs are cancelled that still wait: short, for there may be many. */
export function divergedAround({ name }: FlowRun): string {
  return `flow run '${name}' does other things than the run that it continues`
}

/** The first few of them, by name. */
function describeCalls(calls: readonly ComparedCall[]): string {
  const named = calls.slice(0, maxExamples).map(call => `${call.name}${inputsOf(call)}`)
  const more = calls.length - named.length
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function inputsOf(call: ComparedCall): string {
  const text = inputsText(call)
  return text === '' ? '' : ` (${text})`
}

function countOf(groups: readonly CallGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0)
}
