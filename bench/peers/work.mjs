import { createHash } from 'node:crypto'

const block = Buffer.alloc(1024, 'x')

/** Hashes a block as often as that. */
export function work(blocks) {
  const hash = createHash('sha256')
  for (let index = 0; index < blocks; index++) hash.update(block)
  return hash.digest()[0]
}

/** Gives its end in milliseconds of the machine's clock, which is the same in all threads. */
export function workUntil(blocks) {
  work(blocks)
  return Number(process.hrtime.bigint()) / 1e6
}
