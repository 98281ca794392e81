import { Decompress } from 'fzstd'
import { malformed } from './malformed.js'

export function decompressZstd(frame: Uint8Array, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  const stream = new Decompress(part => {
    length += part.length
    if (length > maxBytes) throw malformed(`a frame of Zstandard holds more than ${maxBytes} bytes`)
    parts.push(part.slice())
  })
  stream.push(frame, true)
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length)
}
