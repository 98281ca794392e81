import { availableParallelism, totalmem } from 'node:os'
import { MintakaError } from '../core/errors.js'

/** How much memory this process may have, in bytes: that of the machine, or of the container that it is in. */
export function totalMemory(): number {
  const constrained = process.constrainedMemory?.() ?? 0
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  kib: 2 ** 10,
  ki: 2 ** 10,
  m: 1e6,
  mb: 1e6,
  mib: 2 ** 20,
  mi: 2 ** 20,
  g: 1e9,
  gb: 1e9,
  gib: 2 ** 30,
  gi: 2 ** 30,
  t: 1e12,
  tb: 1e12,
  tib: 2 ** 40,
  ti: 2 ** 40,
}

/**
 * The memory limit of a worker in bytes, as Dask reads it: `auto` is the share of its threads among the processors; a
 * number up to 1 is a share of all there is; `2GB`, `512 MiB` and plain bytes are what they say; 0 is no limit. Never more
 * than there is. Throws INVALID_OPTION.
 */
export function memoryLimitOf(
  text: string,
  nthreads: number,
  total = totalMemory(),
  processors = availableParallelism(),
): number {
  const trimmed = text.trim().toLowerCase()
  if (trimmed === 'auto') return Math.floor(total * Math.min(1, nthreads / processors))
  const [, number = '', unit = ''] = /^(\d+(?:\.\d*)?(?:e\d+)?|\.\d+)\s*([a-z]*)$/.exec(trimmed) ?? []
  const factor = units[unit]
  if (number === '' || factor === undefined) {
    const text = `The memory limit '${trimmed}' is not one: write bytes, '2GB', '512MiB', a share such as 0.5, or 'auto'.`
    throw new MintakaError('INVALID_OPTION', text, { option: 'memory-limit' })
  }
  const amount = Number(number)
  if (unit === '' && amount <= 1) return Math.floor(total * amount)
  return Math.min(total, Math.floor(amount * factor))
}
