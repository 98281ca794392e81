/**
 * What both sides say first. Each takes the lower pickle protocol, and a compression only if both name the same: we never
 * do, so that what comes is as it is. The version of Python is for information.
 */
export const hello = { compression: null, python: [3, 11, 0], 'pickle-protocol': 5 }

export function isHello(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'compression' in message
}
