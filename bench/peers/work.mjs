import { createHash } from 'node:crypto'

const block = Buffer.alloc(4096, 'x')

/** Hashes a block as often as that: none is a tiny task. */
export function work(rounds) {
  if (rounds === 0) return 1
  const hash = createHash('sha256')
  for (let round = 0; round < rounds; round++) hash.update(block)
  return hash.digest('hex').length
}
