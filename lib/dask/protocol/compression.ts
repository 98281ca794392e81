import { inflateSync } from 'node:zlib'
import { MintakaError } from '../../core/errors.js'
import { decompressLz4 } from './lz4.js'
import { guarded, malformed } from './malformed.js'
import type { Frames, Header } from './message.js'
import { decompressSnappy } from './snappy.js'
import { decompressZstd } from './zstd.js'

/** More than any peer compresses at once: it cuts frames at 64 MiB first, unless it was told another size. */
const maxFrameBytes = 2 ** 30

/** How a frame of that compression is read, given how large it may become. */
type Decompress = (frame: Uint8Array, maxBytes: number) => Uint8Array

const algorithms: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ['zlib', (frame, maxBytes) => inflateSync(frame, { maxOutputLength: maxBytes })],
  ['lz4', decompressLz4],
  ['zstd', decompressZstd],
  ['snappy', decompressSnappy],
])

/**
 * The frames of a payload as they were. We ask every peer not to compress, but what passes through the scheduler may have
 * been compressed for the scheduler.
 */
export function decompress(header: Header, frames: Frames): Frames {
  const names = header['compression']
  if (!Array.isArray(names) || names.every(name => name === null)) return frames
  return frames.map((frame, index) => {
    const name: unknown = names[index] ?? null
    if (name === null) return frame
    if (typeof name !== 'string') throw malformed('the compression of a frame is not a name')
    const algorithm = algorithms.get(name)
    if (!algorithm) throw unknownCompression(name)
    return guarded(`a frame compressed by ${name} cannot be read`, () => algorithm(frame, maxFrameBytes))
  })
}

function unknownCompression(name: string): MintakaError {
  return new MintakaError(
    'DASK_PROTOCOL',
    `A value was compressed by ${name}, which Mintaka does not know. Configure the Dask cluster with ` +
      "distributed.comm.compression 'lz4', 'zlib', 'zstd' or 'snappy', or false.",
  )
}
