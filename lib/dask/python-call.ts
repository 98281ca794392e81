import { types } from 'node:util'
import { MintakaError } from '../core/errors.js'
import { isPlainObject } from '../core/traverse.js'
import { asText, isArray } from '../values/shapes.js'
import { op } from './pickle/opcodes.js'
import { PickleOutput } from './pickle/output.js'

/** Stands, in the arguments of a Python call, for the value of a Dask key. */
export class PyDep {
  readonly key: string

  constructor(key: string) {
    this.key = key
  }
}

/** A call that a Python worker makes by `pickle.loads(pickle, buffers=values of deps)`. */
export interface PythonCall {
  readonly pickle: Buffer
  /** The Dask keys whose values the worker passes as buffers, each once. */
  readonly deps: readonly string[]
}

/**
 * The call `target(*args)`, made by whoever reads the pickle: so only the worker imports the module. A `PyDep` may stand
 * anywhere in the arguments, except where a dict or set needs something hashable.
 *
 * Python gets null and undefined as None, integers and bigints as int, other numbers as float, bytes as bytes, arrays as
 * list, plain objects and Maps as dict, Sets as set; what is shared is shared. Throws INVALID_ARGUMENT for a target that is
 * not `'package.module:function'`, NOT_SENDABLE with the path of what Python has no word for.
 */
export function pythonCallPickle(target: string, args: readonly unknown[]): PythonCall {
  const { module, name } = parseTarget(target)
  const writer = new CallWriter(target)
  writer.output.global(module, name)
  if (args.length > 3) writer.output.code(op.MARK)
  args.forEach((arg, index) => {
    writer.write(arg, `argument ${index + 1}`, 0)
  })
  writer.output.tuple(args.length)
  writer.output.code(op.REDUCE)
  return { pickle: writer.output.end(), deps: writer.deps }
}

function parseTarget(target: string): { readonly module: string; readonly name: string } {
  const match = /^(?<module>[^:]+):(?<name>[^:]+)$/.exec(target)
  const { module = '', name = '' } = match?.groups ?? {}
  if (isDotted(module) && isDotted(name)) return { module, name }
  const text =
    `'${target}' does not name a Python function. Write 'package.module:function', such as 'math:factorial'` +
    " or 'package.module:Class.method'."
  throw new MintakaError('INVALID_ARGUMENT', text, { target })
}

function isDotted(name: string): boolean {
  return name.split('.').every(part => /^[\p{ID_Start}_][\p{ID_Continue}]*$/u.test(part))
}

/** As deep as Python's own tools go. */
const maxDepth = 900

class CallWriter {
  readonly output = new PickleOutput()
  readonly deps: string[] = []
  private readonly target: string
  /** The numbers of what has been written, by object, and by key of a dependency. */
  private readonly written = new Map<object | string, number>()

  constructor(target: string) {
    this.target = target
  }

  write(value: unknown, path: string, depth: number): void {
    switch (typeof value) {
      case 'undefined':
        return this.output.none()
      case 'boolean':
        return this.output.boolean(value)
      case 'number':
        return this.output.number(value)
      case 'bigint':
        return this.output.bigint(value)
      case 'string':
        return this.output.string(value)
      case 'object':
        return value === null ? this.output.none() : this.object(value, path, depth + 1)
      default:
        throw this.refused(path, `a ${typeof value}`)
    }
  }

  private object(value: object, path: string, depth: number): void {
    const identity = value instanceof PyDep ? value.key : value
    const number = this.written.get(identity)
    if (number !== undefined) return this.output.again(number)
    if (depth > maxDepth) throw this.refused(path, 'nested too deeply')
    if (value instanceof PyDep) this.dependency(value)
    else if (types.isProxy(value)) throw this.refused(path, 'a Proxy')
    else if (isArray(value)) this.list(value, path, depth)
    else if (types.isUint8Array(value)) this.keep(value, () => this.output.bytesOf(value))
    else if (types.isMap(value)) this.dict(value, value, path, depth)
    else if (types.isSet(value)) this.set(value, path, depth)
    else if (isPlainObject(value)) this.dict(value, fieldsOf(value), path, depth)
    else throw this.refused(path, `an instance of ${nameOf(value)}`)
  }

  private dependency(dep: PyDep): void {
    this.deps.push(dep.key)
    this.output.code(op.NEXT_BUFFER)
    this.written.set(dep.key, this.output.memoize())
  }

  private list(items: readonly unknown[], path: string, depth: number): void {
    this.keep(items, () => this.output.code(op.EMPTY_LIST))
    if (items.length === 0) return
    this.output.code(op.MARK)
    for (let index = 0; index < items.length; index++) this.write(items[index], `${path}[${index}]`, depth)
    this.output.code(op.APPENDS)
  }

  private dict(value: object, entries: Iterable<readonly [unknown, unknown]>, path: string, depth: number): void {
    this.keep(value, () => this.output.code(op.EMPTY_DICT))
    this.output.code(op.MARK)
    for (const [key, child] of entries) {
      const text = typeof key === 'string' ? key : asText(key)
      this.write(key, `the key ${text} of ${path}`, depth)
      this.write(child, /^[A-Za-z_$][\w$]*$/.test(text) ? `${path}.${text}` : `${path}[${JSON.stringify(text)}]`, depth)
    }
    this.output.code(op.SETITEMS)
  }

  private set(items: ReadonlySet<unknown>, path: string, depth: number): void {
    this.keep(items, () => this.output.code(op.EMPTY_SET))
    this.output.code(op.MARK)
    for (const item of items) this.write(item, `an item of ${path}`, depth)
    this.output.code(op.ADDITEMS)
  }

  // Numbered before it is filled, so that what it holds may refer to it.
  private keep(value: object, write: () => void): void {
    write()
    this.written.set(value, this.output.memoize())
  }

  private refused(path: string, what: string): MintakaError {
    const text = `The Python call ${this.target}: ${path} is ${what}, which Python cannot be given. Send plain data.`
    return new MintakaError('NOT_SENDABLE', text, { path, target: this.target })
  }
}

function* fieldsOf(value: Record<string, unknown>): Iterable<[string, unknown]> {
  for (const key of Object.keys(value)) yield [key, value[key]]
}

function nameOf(value: object): string {
  return value.constructor?.name || 'a class'
}
