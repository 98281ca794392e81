/** What `--json` prints of deployments. docs/CLI.md describes it; what is there stays there. */
import type { DeploymentRecord } from '../deployments/record.js'
import { preview } from '../values/preview.js'
import { isJson } from './as-json.js'

/** `next`: when it runs next, in epoch milliseconds, if that is known. */
export function deploymentJson(record: DeploymentRecord, next: number | undefined) {
  const { id, name, flowName, file, description, parameters, schedule, paused, overlap, catchUp, tags, limits } = record
  return {
    id,
    name,
    flowName,
    file,
    description,
    ...parametersJson(parameters),
    schedule,
    next: next === undefined ? undefined : isoTime(next),
    paused,
    overlap,
    catchUp,
    tags,
    limits,
    created: isoTime(record.created),
    updated: isoTime(record.updated),
  }
}

function parametersJson(parameters: unknown) {
  if (parameters === undefined) return {}
  return isJson(parameters) ? { parameters } : { parametersPreview: preview(parameters, 400) }
}

export function isoTime(at: number): string {
  return new Date(at).toISOString()
}
