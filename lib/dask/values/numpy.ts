import { PyGlobal, PyObject } from '../pickle/objects.js'

/** Where numpy keeps the function that makes a scalar, before its version 2 and since. */
const scalars = new Set(['numpy.core.multiarray.scalar', 'numpy._core.multiarray.scalar'])

/** The value of a `numpy.int64`, `numpy.float32` and their like; undefined for anything else. */
export function numpyScalar({ cls, args }: PyObject): number | bigint | boolean | undefined {
  if (!(cls instanceof PyGlobal) || !scalars.has(cls.type)) return undefined
  const [dtype, bytes] = args
  const code = dtypeOf(dtype)
  if (code === undefined || !Buffer.isBuffer(bytes)) return undefined
  const read = readers.get(code.type)
  if (read?.size !== bytes.length) return undefined
  return read.value(code.order === '>' ? Buffer.from(bytes).reverse() : bytes)
}

/** `i8` and the like, and the byte order: `<`, `>`, or `|` where there is none. */
function dtypeOf(dtype: unknown): { readonly type: string; readonly order: string } | undefined {
  if (!(dtype instanceof PyObject) || dtype.type !== 'numpy.dtype') return undefined
  const [type] = dtype.args
  const order: unknown = Array.isArray(dtype.state) ? dtype.state[1] : undefined
  return typeof type === 'string' && typeof order === 'string' ? { type, order } : undefined
}

interface Read {
  readonly size: number
  readonly value: (bytes: Buffer) => number | bigint | boolean
}

const readers = new Map<string, Read>([
  ['b1', { size: 1, value: bytes => bytes[0] !== 0 }],
  ['i1', { size: 1, value: bytes => bytes.readInt8() }],
  ['i2', { size: 2, value: bytes => bytes.readInt16LE() }],
  ['i4', { size: 4, value: bytes => bytes.readInt32LE() }],
  ['i8', { size: 8, value: bytes => safe(bytes.readBigInt64LE()) }],
  ['u1', { size: 1, value: bytes => bytes.readUInt8() }],
  ['u2', { size: 2, value: bytes => bytes.readUInt16LE() }],
  ['u4', { size: 4, value: bytes => bytes.readUInt32LE() }],
  ['u8', { size: 8, value: bytes => safe(bytes.readBigUInt64LE()) }],
  ['f4', { size: 4, value: bytes => bytes.readFloatLE() }],
  ['f8', { size: 8, value: bytes => bytes.readDoubleLE() }],
])

function safe(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
