import { MintakaError } from './core/errors.js'
import { logLevels } from './core/logger.js'
import { check, checkOptions } from './core/options.js'

/** Whether a flow can be made of these. Throws INVALID_ARGUMENT, INVALID_OPTION. */
export function checkFlow(name: unknown, fn: unknown, options: object): void {
  if (typeof name !== 'string' || name === '') {
    throw new MintakaError('INVALID_ARGUMENT', "A flow begins with its name: flow('name', fn).")
  }
  if (typeof fn !== 'function') {
    throw new MintakaError('INVALID_ARGUMENT', `flow('${name}', …) has no function. Write flow('${name}', fn).`, {
      flow: name,
    })
  }
  if (fn.length > 1) {
    const fix = 'Give it one object with all of them.'
    throw new MintakaError(
      'INVALID_ARGUMENT',
      `The function of flow '${name}' takes ${fn.length} parameters; a flow takes one. ${fix}`,
    )
  }
  checkOptions(`flow '${name}'`, options, flowChecks)
}

/** Whether these are options of `.with()`. Throws INVALID_OPTION. */
export function checkCall(name: string, options: object): void {
  checkOptions(`flow '${name}'`, options, { ...flowChecks, ...callChecks })
}

const flowChecks = {
  executor: (value: unknown) =>
    typeof value === 'function' || (typeof value === 'object' && value !== null)
      ? undefined
      : 'an executor, or its class',
  parameters: (value: unknown) =>
    value !== null && (typeof value === 'object' || typeof value === 'function') && '~standard' in value
      ? undefined
      : 'a Standard Schema: zod, valibot, arktype and others make one',
  timeoutMs: check.milliseconds,
  retries: check.count,
  retryDelayMs: check.delay,
  retryIf: check.function,
  version: check.string,
  description: check.string,
  tags: check.strings,
  engine: check.object,
  logLevel: check.oneOf(...logLevels),
}
const callChecks = {
  waitFor: check.futures,
  name: check.string,
  signal: check.signal,
  idempotencyKey: check.string,
}
