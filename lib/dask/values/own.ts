import { DefaultDeserializer, DefaultSerializer } from 'node:v8'
import { fromWire, toWire } from '../../values/wire.js'
import { guarded } from '../protocol/malformed.js'

/**
 * What stands before values in Mintaka's own form. It is part of the bytes and not of a header, so that such a value can go
 * through Python tasks, to which it is bytes like any other.
 */
const magic = Buffer.from('\x93mintaka\x00\x01', 'latin1')

/** Whether the bytes are a value in Mintaka's own form. */
export function isOwn(bytes: Uint8Array): boolean {
  return magic.equals(bytes.subarray(0, magic.length))
}

/** Any value that may travel. Throws NOT_SENDABLE with the path of what may not, counted from `what`. */
export function encodeOwn(value: unknown, what: string): Buffer {
  return seal(toWire(value, what, { purpose: 'sent to a Dask worker' }))
}

/** Throws DASK_PROTOCOL if the bytes are damaged. */
export function decodeOwn(bytes: Uint8Array): unknown {
  return guarded('a value in the form of Mintaka is damaged', () => fromWire(unseal(bytes)))
}

/** The bytes of what is in wire form already. */
export function seal(wire: unknown): Buffer {
  const serializer = new DefaultSerializer()
  serializer.writeRawBytes(magic)
  serializer.writeHeader()
  serializer.writeValue(wire)
  return serializer.releaseBuffer()
}

export function unseal(bytes: Uint8Array): unknown {
  const deserializer = new DefaultDeserializer(bytes.subarray(magic.length))
  deserializer.readHeader()
  return deserializer.readValue()
}
