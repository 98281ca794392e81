import type { CodeBundle } from '../../lib/dask/payload.js'
import { PyGlobal } from '../../lib/dask/pickle/objects.js'
import { dumps } from '../../lib/dask/pickle/write.js'
import { Serialized } from '../../lib/dask/protocol/message.js'
import type { EncodedValue } from '../../lib/dask/values/encode.js'
import { rawBytes } from '../../lib/dask/values/families.js'
import { typeWithResult } from '../../lib/dask/values/inline.js'
import { encodeOwn } from '../../lib/dask/values/own.js'
import type { Stored } from './store.js'

type Computed = NonNullable<Stored['computed']>

/** The result of a task. One of no more than `inlineBytes` goes to the client with the message that it is there. */
export function resultStored(encoded: EncodedValue, inlineBytes: number, computed: Computed): Stored {
  const { serialized, nbytes, typeName } = encoded
  return { serialized, nbytes, typeName, type: typeWithResult(encoded, inlineBytes), computed }
}

const bytesClass = dumps(new PyGlobal('builtins', 'bytes'))
const objectClass = dumps(new PyGlobal('builtins', 'object'))

/** Code, in the form of our own: nobody else has a use for it. */
export function bundleStored(bundle: CodeBundle, computed: Computed): Stored {
  const own = encodeOwn(bundle, 'the bundle')
  const encoded = { serialized: rawBytes(own), nbytes: own.length, typeName: 'node.CodeBundle', type: bytesClass }
  return resultStored(encoded, 0, computed)
}

/** A value that has come from elsewhere, whatever it is. */
export function foreignStored(serialized: Serialized): Stored {
  const own = new Serialized(serialized.header, serialized.frames.map(compact))
  const nbytes = own.frames.reduce((sum, { length }) => sum + length, 0)
  return { serialized: own, nbytes, typeName: 'object', type: objectClass }
}

// Many values may have come in one piece of memory: each kept would keep all of it.
function compact(frame: Uint8Array): Uint8Array {
  const isMostOfIt = frame.byteLength * 2 >= frame.buffer.byteLength
  return isMostOfIt ? frame : Uint8Array.prototype.slice.call(frame)
}
