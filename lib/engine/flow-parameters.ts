import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MintakaError } from '../core/errors.js'
import { argumentsHere } from './attempt-arguments.js'
import type { FlowDefinition } from './definitions.js'
import type { Inputs } from './inputs.js'

/**
 * The parameters of an attempt of a flow run: values in the place of futures, validated and coerced by the flow's schema.
 * Rejects with INVALID_PARAMETERS.
 */
export async function parametersFor(flow: FlowDefinition, inputs: Inputs): Promise<readonly unknown[]> {
  const values = argumentsHere(inputs, flow.retries > 0)
  return flow.schema ? [await validated(flow, values[0])] : values
}

/** A value as the schema of a flow makes it. Rejects with INVALID_PARAMETERS. */
export async function validated({ name, schema }: Pick<FlowDefinition, 'name' | 'schema'>, value: unknown) {
  const result = await schema?.['~standard'].validate(value)
  if (!result?.issues) return result ? result.value : value
  const issues = result.issues.map(describeIssue).join('; ')
  const sentence = `The parameters of flow '${name}' do not fit its schema: ${issues}.`
  throw new MintakaError('INVALID_PARAMETERS', sentence, { flow: name, issues: result.issues })
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map(part => String(typeof part === 'object' ? part.key : part)).join('.')
  return path === '' ? issue.message : `${path}: ${issue.message}`
}
