/** What Dask's dashboard asks of each worker to draw its page on hardware: bytes per second, by size. */
import { randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import { rawBytes } from '../../lib/dask/values/families.js'

/** How long each size is tried. Short: the worker has other things to do. */
const eachMs = 50

const sizes: Readonly<Record<string, number>> = {
  '1 kiB': 2 ** 10,
  '100 kiB': 100 * 2 ** 10,
  '1 MiB': 2 ** 20,
  '10 MiB': 10 * 2 ** 20,
}

export function benchmarkDisk(folder: string): Promise<Record<string, number>> {
  return forEachSize(async bytes => {
    const path = join(folder, `benchmark-${process.pid}`)
    const file = await open(path, 'w')
    try {
      await file.write(bytes)
      await file.sync()
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
  })
}

export function benchmarkMemory(): Promise<Record<string, number>> {
  return forEachSize(async bytes => void Buffer.from(bytes))
}

export function benchmarkNetwork(rpc: RpcPool, address: string): Promise<Record<string, number>> {
  return forEachSize(async bytes => void (await rpc.call(address, 'echo', { data: rawBytes(bytes) })))
}

async function forEachSize(handle: (bytes: Buffer) => Promise<void>): Promise<Record<string, number>> {
  const speeds: Record<string, number> = {}
  for (const [name, size] of Object.entries(sizes)) {
    const bytes = randomBytes(size)
    const begin = performance.now()
    let total = 0
    do {
      await handle(bytes)
      total += size
    } while (performance.now() - begin < eachMs)
    speeds[name] = total / ((performance.now() - begin) / 1000)
  }
  return speeds
}
