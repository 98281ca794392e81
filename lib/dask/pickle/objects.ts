/** The things of Python that JavaScript has no word for. None of them ever does anything: they only stand for it. */

/** A name in a Python module: a class or a function. Never imported, never called. Dots in `name` lead to attributes. */
export class PyGlobal {
  readonly module: string
  readonly name: string

  constructor(module: string, name: string) {
    this.module = module
    this.name = name
  }

  get type(): string {
    return `${this.module}.${this.name}`
  }
}

/** Written as a call that Python makes when it reads the pickle; `state` is then set on what the call returned. */
export class PyCall {
  readonly callable: unknown
  readonly args: readonly unknown[]
  readonly state?: unknown

  constructor(callable: unknown, args: readonly unknown[], state?: unknown) {
    this.callable = callable
    this.args = args
    if (state !== undefined) this.state = state
  }
}

/** An array that Python wrote as a tuple, or is to read as one. */
export class PyTuple extends Array<unknown> {
  // What is derived from it (`map`, `slice`) is an ordinary array.
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}

export function pyTuple(...items: readonly unknown[]): PyTuple {
  const tuple = new PyTuple()
  for (const item of items) tuple.push(item)
  return tuple
}

/** Written as the next of the buffers that the reader of the pickle is given. */
export class PyBuffer {}

/** What the reader makes of any object it does not know: how Python would have made it, nothing of it carried out. */
export class PyObject {
  /** The class, or the function that was to make it. */
  readonly cls: unknown
  readonly args: readonly unknown[]
  kwargs?: unknown
  /** What was to be given to `__setstate__` or `__dict__`. */
  state?: unknown
  /** What was to be appended. */
  list?: unknown[]
  /** What was to be set by key. */
  items?: Map<unknown, unknown>

  constructor(cls: unknown, args: readonly unknown[]) {
    this.cls = cls
    this.args = args
  }

  /** `module.name` of its class, as far as the pickle tells. */
  get type(): string {
    const { cls, args } = this
    if (cls instanceof PyObject) return 'object'
    if (!(cls instanceof PyGlobal)) return 'object'
    const [first] = args
    return first instanceof PyGlobal && isMaker(cls) ? first.type : cls.type
  }
}

// Functions that make an object of the class they are given: `copyreg._reconstructor`, `numpy…_reconstruct`.
function isMaker({ name }: PyGlobal): boolean {
  return /^[a-z_]/.test(name)
}
