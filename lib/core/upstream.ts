import { isMintakaError, MintakaError } from './errors.js'
import { isSettled, type State } from './state.js'

/** What a run throws that did not run, because one it waits for did not complete: the root failure is its cause. */
export function upstreamError(
  name: string,
  upstream: { readonly id: string; readonly name: string },
  state: State,
): MintakaError {
  const error = 'error' in state ? state.error : undefined
  const cause = isMintakaError(error, 'UPSTREAM_NOT_COMPLETED') ? error.cause : error
  const where = isSettled(state) ? state.name : `in ${state.name}`
  return new MintakaError(
    'UPSTREAM_NOT_COMPLETED',
    `'${name}' did not run: '${upstream.name}', which it waits for, is ${where}. Pass allowFailure(future) to run all the same.`,
    { cause, upstream: upstream.id },
  )
}
