import { capacity, slotOf } from './call-numbers.js'

/** How a call ended, as its slot tells it. What is not small is posted. */
export const form = {
  posted: 0,
  stopped: 1,
  undefined: 2,
  null: 3,
  false: 4,
  true: 5,
  number: 6,
  text: 7,
  json: 8,
} as const
export type Form = (typeof form)[keyof typeof form]

/** The longest text that a slot holds, in bytes of UTF-8. */
export const slotTextBytes = 192

/**
 * Small results in the memory that a thread and its pool both see, by call: the thread writes one down before the call has
 * ended, the pool reads it afterwards.
 */
export class Results {
  static readonly bytes = capacity * (8 + 2 * 4 + slotTextBytes)
  private readonly numbers: Float64Array
  private readonly forms: Int32Array
  private readonly lengths: Int32Array
  private readonly texts: Buffer

  /** They begin at `at`, a multiple of eight. */
  constructor(memory: SharedArrayBuffer, at: number) {
    this.numbers = new Float64Array(memory, at, capacity)
    this.forms = new Int32Array(memory, at + 8 * capacity, capacity)
    this.lengths = new Int32Array(memory, at + 12 * capacity, capacity)
    this.texts = Buffer.from(memory, at + 16 * capacity, slotTextBytes * capacity)
  }

  // --- the thread's side

  /** Writes a result down; `false`: it is not small and has to be posted. */
  keep(n: number, result: unknown): boolean {
    const slot = slotOf(n)
    switch (typeof result) {
      case 'number':
        this.numbers[slot] = result
        this.forms[slot] = form.number
        return true
      case 'undefined':
        this.forms[slot] = form.undefined
        return true
      case 'boolean':
        this.forms[slot] = result ? form.true : form.false
        return true
      case 'string':
        return this.write(slot, result, form.text)
      default:
        if (result !== null) return false
        this.forms[slot] = form.null
        return true
    }
  }

  /** Writes a result down whose wire form JSON carries exactly; `false`: it is not small. */
  keepJson(n: number, json: string): boolean {
    return this.write(slotOf(n), json, form.json)
  }

  /** Writes down that the result comes by message, or that there is none. */
  keepForm(n: number, own: typeof form.posted | typeof form.stopped): void {
    this.forms[slotOf(n)] = own
  }

  // --- the pool's side

  /** In which form the result of a call that has ended is here, if it is. */
  formOf(n: number): Form {
    return this.forms[slotOf(n)] as Form
  }

  /** The result of a call that has ended, if its form says that it is here: what is there as JSON, in wire form. */
  of(n: number): unknown {
    const slot = slotOf(n)
    switch (this.forms[slot]) {
      case form.null:
        return null
      case form.false:
        return false
      case form.true:
        return true
      case form.number:
        return this.numbers[slot]
      case form.text:
        return this.textAt(slot)
      case form.json:
        return JSON.parse(this.textAt(slot))
      default:
        return undefined
    }
  }

  private write(slot: number, text: string, own: Form): boolean {
    if (text.length > slotTextBytes || !isWellFormed(text) || Buffer.byteLength(text) > slotTextBytes) return false
    this.lengths[slot] = this.texts.write(text, slot * slotTextBytes)
    this.forms[slot] = own
    return true
  }

  private textAt(slot: number): string {
    const from = slot * slotTextBytes
    return this.texts.toString('utf8', from, from + (this.lengths[slot] ?? 0))
  }
}

// A lone surrogate has no UTF-8. TypeScript's libraries for ES2023 lack it; Node has it.
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
