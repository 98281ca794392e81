import { malformed } from '../protocol/malformed.js'

/**
 * What both sides say first. Each takes the lower pickle protocol, and a compression only if both name the same: we never
 * do, so that what comes is as it is. The version of Python is for information.
 */
export const hello = { compression: null, python: [3, 11, 0], 'pickle-protocol': 5 }

/** Throws DASK_PROTOCOL if the peer's first message is not a hello. */
export function expectHello(message: unknown): void {
  const isHello = typeof message === 'object' && message !== null && 'compression' in message
  if (!isHello) throw malformed('it did not begin with a handshake')
}
