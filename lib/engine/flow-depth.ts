import { MintakaError } from '../core/errors.js'
import type { FlowLife } from './run-flow.js'

/** Why a flow run cannot begin that is nested deeper than its engine allows: most likely it calls itself for ever. */
export function tooDeep(
  { flow, depth, parent }: Pick<FlowLife, 'flow' | 'depth' | 'parent'>,
  limit: number,
): MintakaError {
  const chain = [flow.name]
  for (let at = parent; at; at = at.parent) chain.unshift(at.flow.name)
  const shown = chain.length > 12 ? [...chain.slice(0, 6), '…', ...chain.slice(-6)] : chain
  const sentence = `Flows are nested ${depth} deep, and ${limit} is the limit: ${shown.join(' → ')}.`
  const fix = 'End the recursion, or raise maxFlowDepth of createEngine.'
  return new MintakaError('FLOW_DEPTH', `${sentence} ${fix}`, { flow: flow.name, chain })
}
