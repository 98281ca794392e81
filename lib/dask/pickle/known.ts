import { PyGlobal, PyObject } from './objects.js'

/**
 * What a call in a pickle makes: for the few calls that old protocols write data with, the data; for all others an object
 * that only says what was to be called. `spend` is told how much is copied for it.
 */
export function known(callable: unknown, args: readonly unknown[], spend: (size: number) => void): unknown {
  const make = callable instanceof PyGlobal ? makers.get(callable.type) : undefined
  if (!make) return new PyObject(callable, args)
  spend(sizeOf(args[0]))
  return make(args) ?? new PyObject(callable, args)
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length : value instanceof Set ? value.size : 0
}

type Make = (args: readonly unknown[]) => unknown

/** By `module.name`. What gives undefined has been called in a way of which it knows nothing. */
const makers = new Map<string, Make>([
  // Bytes in protocols before 3: their latin-1 text.
  ['_codecs.encode', ([text, encoding]) => (encoding === 'latin1' ? latin1(text) : undefined)],
])
for (const module of ['builtins', '__builtin__']) {
  makers.set(`${module}.bytes`, args => (args.length === 0 ? Buffer.alloc(0) : undefined))
  makers.set(`${module}.bytearray`, bytearray)
  makers.set(`${module}.set`, set)
  makers.set(`${module}.frozenset`, set)
}

function latin1(text: unknown): Buffer | undefined {
  return typeof text === 'string' ? Buffer.from(text, 'latin1') : undefined
}

function bytearray([first, encoding]: readonly unknown[]): unknown {
  if (first === undefined) return Buffer.alloc(0)
  if (first instanceof Uint8Array) return first
  return encoding === 'latin-1' ? latin1(first) : undefined
}

function set([items]: readonly unknown[]): unknown {
  if (items === undefined) return new Set()
  return Array.isArray(items) || items instanceof Set ? new Set(items) : undefined
}
