import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MintakaError } from '../core/errors.js'
import { argumentsHere } from './attempt-arguments.js'
import type { FlowDefinition } from './definitions.js'
import type { Inputs } from './inputs.js'

/**
 * The parameters of an attempt of a flow run: values in the place of futures, validated and coerced by the flow's schema.
 * Rejects with INVALID_PARAMETERS.
 */
export async function parametersFor(
  { name, retries, schema }: FlowDefinition,
  inputs: Inputs,
): Promise<readonly unknown[]> {
  const values = argumentsHere(inputs, retries > 0)
  if (!schema) return values
  const result = await schema['~standard'].validate(values[0])
  if (!result.issues) return [result.value]
  const issues = result.issues.map(describeIssue).join('; ')
  const sentence = `The parameters of flow '${name}' do not fit its schema: ${issues}.`
  throw new MintakaError('INVALID_PARAMETERS', sentence, { flow: name, issues: result.issues })
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map(part => String(typeof part === 'object' ? part.key : part)).join('.')
  return path === '' ? issue.message : `${path}: ${issue.message}`
}
