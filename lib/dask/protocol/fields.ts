/**
 * A map of a message. It has the fields that were sent and nothing else: no prototype's, so that a key may be called
 * `constructor` or `__proto__`. (An object made by `Object.create(null)` would be the same, but slower.)
 */
export class Fields {
  [key: string]: unknown
}
Object.setPrototypeOf(Fields.prototype, null)
Reflect.deleteProperty(Fields.prototype, 'constructor')

/** Whether `value` is a map of a message. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Fields.prototype
}
