import { guarded, malformed } from '../protocol/malformed.js'
import { addItems, append, asArgs, asString, NotPlain, setFields, setItems } from './fill.js'
import { PickleInput } from './input.js'
import { known } from './known.js'
import { PyGlobal, PyObject, PyTuple } from './objects.js'
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

/**
 * What a pickle of plain data says as JavaScript says it, which takes half the time: a dict is an object, a tuple an array.
 * Undefined if there is anything in it that is not of these, such as an object or a dict with other keys than strings.
 */
export function loadsPlain(bytes: Uint8Array, buffers: readonly Uint8Array[] = []): unknown {
  try {
    return guarded('a pickle cannot be read', () => new Machine(bytes, buffers, true).run())
  } catch (thrown) {
    if (thrown instanceof NotPlain) return undefined
    throw thrown
  }
}

/** The stack machine for which a pickle is the program. */
class Machine {
  private readonly isPlain: boolean
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

  constructor(bytes: Uint8Array, buffers: readonly Uint8Array[], isPlain = false) {
    this.isPlain = isPlain
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
        return void input.skip(1)
      case op.FRAME:
        return void input.skip(8)

      case op.NONE:
        return this.push(null)
      case op.NEWTRUE:
        return this.push(true)
      case op.NEWFALSE:
        return this.push(false)
      case op.BININT1:
        return this.push(input.u8())
      case op.BININT2:
        return this.push(input.u16())
      case op.BININT:
        return this.push(input.i32())
      case op.LONG1:
        return this.push(input.long(input.u8()))
      case op.LONG4:
        return this.push(input.long(input.u32()))
      case op.BINFLOAT:
        return this.push(input.f64())
      case op.INT:
        return this.push(input.decimalOrBooleanLine())
      case op.LONG:
        return this.push(input.decimalLine())
      case op.FLOAT:
        return this.push(input.floatLine())

      case op.SHORT_BINUNICODE:
        return this.push(input.text(input.u8()))
      case op.BINUNICODE:
        return this.push(input.text(input.u32()))
      case op.BINUNICODE8:
        return this.push(input.text(input.u64()))
      case op.SHORT_BINBYTES:
      case op.SHORT_BINSTRING:
        return this.push(input.data(input.u8()))
      case op.BINBYTES:
      case op.BINSTRING:
        return this.push(input.data(input.u32()))
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        return this.push(input.data(input.u64()))
      case op.NEXT_BUFFER:
        return this.push(this.buffer())
      case op.READONLY_BUFFER:
        return

      case op.EMPTY_TUPLE:
        return this.push(this.tuple([]))
      case op.TUPLE1:
        return this.push(this.tuple([this.pop()]))
      case op.TUPLE2:
        return this.push(this.tupleOf(2))
      case op.TUPLE3:
        return this.push(this.tupleOf(3))
      case op.TUPLE:
        return this.push(this.tuple(this.popToMark()))
      case op.EMPTY_LIST:
        return this.push([])
      case op.LIST:
        return this.push(this.popToMark())
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
        return this.push(this.dict())
      case op.DICT: {
        const items = this.popToMark()
        const dict = this.dict()
        this.setItems(dict, items)
        return this.push(dict)
      }
      case op.SETITEM: {
        const value = this.pop()
        const key = this.pop()
        this.setItems(this.top(), [key, value])
        return
      }
      case op.SETITEMS: {
        const items = this.popToMark()
        this.setItems(this.top(), items)
        return
      }
      case op.EMPTY_SET:
        return this.push(new Set())
      case op.ADDITEMS: {
        const items = this.popToMark()
        addItems(this.top(), items)
        return
      }
      case op.FROZENSET:
        return this.push(new Set(this.popToMark()))

      case op.GLOBAL: {
        const module = input.line()
        return this.push(this.global(module, input.line()))
      }
      case op.STACK_GLOBAL: {
        const name = this.pop()
        return this.push(this.global(asString(this.pop()), asString(name)))
      }
      case op.REDUCE: {
        const args = asArgs(this.pop())
        return this.push(known(this.pop(), args, this.spend))
      }
      case op.NEWOBJ: {
        const args = asArgs(this.pop())
        return this.push(new PyObject(this.pop(), args))
      }
      case op.NEWOBJ_EX: {
        const kwargs = this.pop()
        const args = asArgs(this.pop())
        const object = new PyObject(this.pop(), args)
        object.kwargs = kwargs
        return this.push(object)
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
        return this.push(this.top())
      case op.MEMOIZE:
        return this.put(this.memoized)
      case op.BINPUT:
        return this.put(input.u8())
      case op.LONG_BINPUT:
        return this.put(input.u32())
      case op.PUT:
        return this.put(Number(input.line()))
      case op.BINGET:
        return this.push(this.get(input.u8()))
      case op.LONG_BINGET:
        return this.push(this.get(input.u32()))
      case op.GET:
        return this.push(this.get(Number(input.line())))
      default:
        throw malformed(`a pickle has the opcode 0x${code.toString(16)} at ${input.at - 1}, which is not known`)
    }
  }

  private push(value: unknown): void {
    this.stack.push(value)
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

  private tupleOf(size: number): unknown[] {
    const items: unknown[] = new Array(size)
    for (let index = size - 1; index >= 0; index--) items[index] = this.pop()
    return this.tuple(items)
  }

  private tuple(items: unknown[]): unknown[] {
    // A fifth of the time that filling a new one takes.
    return this.isPlain ? items : Object.setPrototypeOf(items, PyTuple.prototype)
  }

  private dict(): object {
    return this.isPlain ? {} : new Map()
  }

  private global(module: string, name: string): PyGlobal {
    // All calls and objects begin with one.
    if (this.isPlain) throw new NotPlain()
    return new PyGlobal(module, name)
  }

  private setItems(target: unknown, items: readonly unknown[]): void {
    if (this.isPlain) setFields(target, items)
    else setItems(target, items)
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
