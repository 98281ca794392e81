import { MintakaError } from '../core/errors.js'
import type { Engine } from '../engine/engine.js'
import type { FlowLife } from '../engine/run-flow.js'
import { outside } from '../engine/scope.js'
import { definitionOf } from '../flow.js'
import type { Limits } from './deployment.js'
import type { ScheduledRun } from './record.js'

/**
 * Begins the flow run that a scheduled run becomes, on `engine`; there is one, whoever begins it and how often. The
 * engine that the flow names is not asked: a run of a deployment is in the store of that deployment.
 */
export function startRun(
  engine: Engine,
  flow: unknown,
  { name, deployment, scheduledTime, idempotencyKey, parameters, tags }: ScheduledRun,
  limits: Limits = {},
): FlowLife {
  const found = definitionOf(flow)
  if (!found) throw new MintakaError('INVALID_ARGUMENT', `Deployment '${deployment}' has no flow to run.`)
  const { definition } = found
  const called = {
    ...definition,
    runName: name,
    tags: [...new Set([...definition.tags, ...tags])],
    timeoutMs: least(definition.timeoutMs, limits.timeoutMs),
    idempotencyKey,
    occasion: { deployment, scheduledTime },
  }
  const life = engine.start(called, parameters === undefined ? [] : [parameters], outside)
  life.watch() // how it ends is told by whoever carries it out
  return life
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}
