import { createHash } from 'node:crypto'

/** An id made of what a run is known by before it exists: equal parts give equal ids, in every process. */
export function idFromKey(parts: readonly unknown[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return BigInt(`0x${digest.slice(0, 24)}`)
    .toString(36)
    .padStart(16, '0')
    .slice(0, 16)
}
