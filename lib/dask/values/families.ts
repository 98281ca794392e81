import { PyGlobal } from '../pickle/objects.js'
import { dumps } from '../pickle/write.js'
import { type Frames, type Header, Serialized } from '../protocol/message.js'

/** Larger frames are cut, as stock peers do. */
const shardBytes = 64 * 2 ** 20

/** The field of a header that tells of which class bytes were, if not Buffers. Stock peers pass it on and ignore it. */
export const bytesKind = 'mintaka-kind'

const bytesClass = dumps(new PyGlobal('builtins', 'bytes'))

/** A pickle: Python reads it as what it says. */
export function pickled(pickle: Uint8Array): Serialized {
  return payload({ serializer: 'pickle', writeable: [] }, pickle)
}

/** Bytes as they are, not copied. Python reads them as `bytes`; `extra` is in the header for readers of ours. */
export function rawBytes(bytes: Uint8Array, extra: Header = {}): Serialized {
  return payload(
    { serializer: 'dask', type: 'builtins.bytes', 'type-serialized': bytesClass, 'sub-header': {}, ...extra },
    bytes,
  )
}

function payload(header: Header, bytes: Uint8Array): Serialized {
  const frames = shards(bytes)
  return new Serialized(
    {
      ...header,
      'split-num-sub-frames': [frames.length],
      'split-offsets': [0],
      compression: frames.map(() => null),
    },
    frames,
  )
}

function shards(bytes: Uint8Array): Frames {
  const frames: Uint8Array[] = [bytes.subarray(0, shardBytes)]
  for (let at = shardBytes; at < bytes.length; at += shardBytes) frames.push(bytes.subarray(at, at + shardBytes))
  return frames
}
