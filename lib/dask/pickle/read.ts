import { guarded, malformed } from '../protocol/malformed.js'
import { PickleInput } from './input.js'
import { known } from './known.js'
import { PyGlobal, PyObject, PyTuple, pyTuple } from './objects.js'
import { op } from './opcodes.js'

/**
 * Reads a pickle of any protocol without ever carrying anything out: what is not data is a `PyGlobal` or a `PyObject`.
 *
 * None is null, a dict a Map, a list an array, a tuple a `PyTuple`, a set or frozenset a Set; bytes and bytearray are
 * Buffers that share the memory of `bytes`. An int is a number, or a bigint if it is not a safe integer. What the pickle
 * shares is shared, cycles included. `buffers` are what was written out of band.
 *
 * Throws DASK_PROTOCOL for bytes that are not a pickle. Takes time and memory in proportion to the bytes.
 */
export function loads(bytes: Uint8Array, buffers: readonly Uint8Array[] = []): unknown {
  return guarded('a pickle cannot be read', () => new Machine(bytes, buffers).run())
}

/** The stack machine for which a pickle is the program. */
class Machine {
  private readonly input: PickleInput
  private readonly buffers: readonly Uint8Array[]
  private nextBuffer = 0
  private readonly stack: unknown[] = []
  /** Where in the stack the marks are. */
  private readonly marks: number[] = []
  private readonly memo: unknown[] = []
  private memoized = 0
  /** How much may be copied yet: no more than there is, though a pickle can refer to one thing any number of times. */
  private left: number

  constructor(bytes: Uint8Array, buffers: readonly Uint8Array[]) {
    this.input = new PickleInput(bytes)
    this.buffers = buffers
    this.left = bytes.length
  }

  run(): unknown {
    for (;;) {
      const code = this.input.u8()
      if (code === op.STOP) return this.pop()
      this.step(code)
    }
  }

  private step(code: number): void {
    const { stack, input } = this
    switch (code) {
      // Told by the pickle of itself: how it was written.
      case op.PROTO:
        input.skip(1)
        return
      case op.FRAME:
        input.skip(8)
        return

      case op.NONE:
        stack.push(null)
        return
      case op.NEWTRUE:
        stack.push(true)
        return
      case op.NEWFALSE:
        stack.push(false)
        return
      case op.BININT1:
        stack.push(input.u8())
        return
      case op.BININT2:
        stack.push(input.u16())
        return
      case op.BININT:
        stack.push(input.i32())
        return
      case op.LONG1:
        stack.push(input.long(input.u8()))
        return
      case op.LONG4:
        stack.push(input.long(input.u32()))
        return
      case op.BINFLOAT:
        stack.push(input.f64())
        return
      case op.INT:
        stack.push(input.decimalOrBooleanLine())
        return
      case op.LONG:
        stack.push(input.decimalLine())
        return
      case op.FLOAT:
        stack.push(input.floatLine())
        return

      case op.SHORT_BINUNICODE:
        stack.push(input.text(input.u8()))
        return
      case op.BINUNICODE:
        stack.push(input.text(input.u32()))
        return
      case op.BINUNICODE8:
        stack.push(input.text(input.u64()))
        return
      case op.SHORT_BINBYTES:
      case op.SHORT_BINSTRING:
        stack.push(input.data(input.u8()))
        return
      case op.BINBYTES:
      case op.BINSTRING:
        stack.push(input.data(input.u32()))
        return
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        stack.push(input.data(input.u64()))
        return
      case op.NEXT_BUFFER:
        stack.push(this.buffer())
        return
      case op.READONLY_BUFFER:
        return

      case op.EMPTY_TUPLE:
        stack.push(new PyTuple())
        return
      case op.TUPLE1:
        stack.push(pyTuple(this.pop()))
        return
      case op.TUPLE2:
        stack.push(this.tupleOf(2))
        return
      case op.TUPLE3:
        stack.push(this.tupleOf(3))
        return
      case op.TUPLE:
        stack.push(asTuple(this.popToMark()))
        return
      case op.EMPTY_LIST:
        stack.push([])
        return
      case op.LIST:
        stack.push(this.popToMark())
        return
      case op.APPEND: {
        const item = this.pop()
        append(this.top(), [item])
        return
      }
      case op.APPENDS: {
        const items = this.popToMark()
        append(this.top(), items)
        return
      }
      case op.EMPTY_DICT:
        stack.push(new Map())
        return
      case op.DICT: {
        const items = this.popToMark()
        const dict = new Map<unknown, unknown>()
        setItems(dict, items)
        stack.push(dict)
        return
      }
      case op.SETITEM: {
        const value = this.pop()
        const key = this.pop()
        setItems(this.top(), [key, value])
        return
      }
      case op.SETITEMS: {
        const items = this.popToMark()
        setItems(this.top(), items)
        return
      }
      case op.EMPTY_SET:
        stack.push(new Set())
        return
      case op.ADDITEMS: {
        const items = this.popToMark()
        addItems(this.top(), items)
        return
      }
      case op.FROZENSET:
        stack.push(new Set(this.popToMark()))
        return

      case op.GLOBAL: {
        const module = input.line()
        stack.push(new PyGlobal(module, input.line()))
        return
      }
      case op.STACK_GLOBAL: {
        const name = this.pop()
        stack.push(new PyGlobal(asString(this.pop()), asString(name)))
        return
      }
      case op.REDUCE: {
        const args = asArgs(this.pop())
        stack.push(known(this.pop(), args, this.spend))
        return
      }
      case op.NEWOBJ: {
        const args = asArgs(this.pop())
        stack.push(new PyObject(this.pop(), args))
        return
      }
      case op.NEWOBJ_EX: {
        const kwargs = this.pop()
        const args = asArgs(this.pop())
        const object = new PyObject(this.pop(), args)
        object.kwargs = kwargs
        stack.push(object)
        return
      }
      case op.BUILD: {
        const state = this.pop()
        const object = this.top()
        if (!(object instanceof PyObject)) throw malformed('a pickle gives a state to what has none')
        object.state = state
        return
      }

      case op.MARK:
        this.marks.push(stack.length)
        return
      case op.POP:
        if (this.marks.at(-1) === stack.length) this.marks.pop()
        else this.pop()
        return
      case op.POP_MARK:
        this.popToMark()
        return
      case op.DUP:
        stack.push(this.top())
        return
      case op.MEMOIZE:
        this.put(this.memoized)
        return
      case op.BINPUT:
        this.put(input.u8())
        return
      case op.LONG_BINPUT:
        this.put(input.u32())
        return
      case op.PUT:
        this.put(Number(input.line()))
        return
      case op.BINGET:
        stack.push(this.get(input.u8()))
        return
      case op.LONG_BINGET:
        stack.push(this.get(input.u32()))
        return
      case op.GET:
        stack.push(this.get(Number(input.line())))
        return
      default:
        throw malformed(`a pickle has the opcode 0x${code.toString(16)} at ${input.at - 1}, which is not known`)
    }
  }

  private pop(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw malformed('a pickle takes more than it has given')
    return this.stack.pop()
  }

  private top(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw malformed('a pickle takes more than it has given')
    return this.stack[this.stack.length - 1]
  }

  private popToMark(): unknown[] {
    const mark = this.marks.pop()
    if (mark === undefined) throw malformed('a pickle has no mark where it needs one')
    return this.stack.splice(mark)
  }

  private tupleOf(size: number): PyTuple {
    const tuple = new PyTuple()
    for (let index = size - 1; index >= 0; index--) tuple[index] = this.pop()
    return tuple
  }

  // Python numbers what it keeps from zero on. A larger number would make an array of holes.
  private put(index: number): void {
    if (!(index >= 0 && index <= this.input.size)) throw malformed(`a pickle keeps something as number ${index}`)
    if (!(index in this.memo)) this.memoized++
    this.memo[index] = this.top()
  }

  private get(index: number): unknown {
    if (!(index in this.memo)) throw malformed(`a pickle refers to number ${index}, which it has not kept`)
    return this.memo[index]
  }

  private readonly spend = (size: number): void => {
    this.left -= size
    if (this.left < 0) throw malformed('a pickle makes more than it holds')
  }

  private buffer(): Uint8Array {
    const buffer = this.buffers[this.nextBuffer++]
    if (!buffer) throw malformed(`a pickle refers to buffer ${this.nextBuffer - 1}, which did not come with it`)
    return Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  }
}

function asTuple(items: unknown[]): PyTuple {
  const tuple = new PyTuple()
  for (const item of items) tuple.push(item)
  return tuple
}

function asArgs(args: unknown): readonly unknown[] {
  if (args instanceof PyTuple) return args
  throw malformed('a pickle makes a call without a tuple of arguments')
}

function asString(value: unknown): string {
  if (typeof value === 'string') return value
  throw malformed('a pickle has a name that is not a string')
}

function append(target: unknown, items: unknown[]): void {
  const list = target instanceof PyObject ? (target.list ??= []) : target
  if (!Array.isArray(list) || list instanceof PyTuple) throw malformed('a pickle appends to what is not a list')
  for (const item of items) list.push(item)
}

function setItems(target: unknown, items: unknown[]): void {
  const dict = target instanceof PyObject ? (target.items ??= new Map()) : target
  if (!(dict instanceof Map) || items.length % 2 > 0) throw malformed('a pickle sets items of what is not a dict')
  for (let index = 0; index < items.length; index += 2) dict.set(items[index], items[index + 1])
}

function addItems(target: unknown, items: unknown[]): void {
  if (!(target instanceof Set)) throw malformed('a pickle adds to what is not a set')
  for (const item of items) target.add(item)
}
