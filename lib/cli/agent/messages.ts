/** What an agent tells a process that carries out one run. Parameters are as in documents: data that JSON has. */
export type Order =
  | { readonly type: 'run'; readonly run: unknown; readonly deployment: unknown }
  | { readonly type: 'cancel' }

/** What such a process tells its agent, if there will be no flow run. */
export interface Refusal {
  readonly type: 'cannot'
  readonly error: Thrown
}

/** And what it tells when there is one, or is about to be. */
export interface Begun {
  readonly type: 'begun'
}

/** What was thrown, as data. */
export interface Thrown {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly cause?: Thrown | undefined
}

export function isRefusal(message: unknown): message is Refusal {
  return typeOf(message) === 'cannot'
}

export function isBegun(message: unknown): message is Begun {
  return typeOf(message) === 'begun'
}

function typeOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null && 'type' in message ? message.type : undefined
}

/** Errors of a user's file need not be of classes that the other process has. */
export function thrownOf(error: Error, depth = 0): Thrown {
  const { name, message, stack, cause } = error
  return { name, message, stack, cause: cause instanceof Error && depth < 8 ? thrownOf(cause, depth + 1) : undefined }
}

export function errorOf({ name, message, stack, cause }: Thrown): Error {
  const error = new Error(message, cause && { cause: errorOf(cause) })
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== undefined) error.stack = stack
  return error
}
