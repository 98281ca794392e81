import { asError } from '../../lib/core/errors.js'
import {
  type CallPayload,
  type CodePayload,
  type DataPayload,
  decodePayload,
  guard,
  type Payload,
} from '../../lib/dask/payload.js'
import { PyGlobal, PyObject } from '../../lib/dask/pickle/objects.js'
import { loads } from '../../lib/dask/pickle/read.js'
import type { Fields } from '../../lib/dask/protocol/fields.js'
import { Pickled } from '../../lib/dask/protocol/message.js'

/** What a task is to do here. */
export type Spec = CallPayload | CodePayload | DataPayload | Refused

/** It cannot be done here. */
export interface Refused {
  readonly type: 'refused'
  readonly error: Error
}

/**
 * Finds out what a `compute-task` message asks for. What it says is read, never carried out. Tasks of Python are refused:
 * they came here by mistake, and whoever waits for them is told so.
 */
export function specOf(key: string, message: Fields): Spec {
  try {
    const { args, callable } = callIn(message)
    const payload = payloadIn(args)
    return payload ?? refused(key, `is a Python task${nameOf(callable)}; this is a Node worker`)
  } catch (thrown) {
    return refused(key, `cannot be read by this Node worker: ${asError(thrown).message}`)
  }
}

function refused(key: string, why: string): Refused {
  const error = new Error(`Task ${key} ${why}.`)
  error.name = 'PythonTaskOnNodeWorker'
  error.stack = `${error.name}: ${error.message}`
  return { type: 'refused', error }
}

interface PythonCall {
  readonly callable: unknown
  readonly args: readonly unknown[]
}

function callIn({ run_spec: spec, function: callable, args }: Fields): PythonCall {
  // Until 2023.8.0: two pickles.
  if (callable instanceof Uint8Array) {
    return { callable: loads(callable), args: listOf(args instanceof Uint8Array ? loads(args) : args) }
  }
  const value = spec instanceof Pickled ? spec.load() : spec
  // From 2024.11.0: a Task, whose slots in the order of their names hold the arguments as a tuple, and the function.
  if (value instanceof PyObject) {
    const slots = listOf(value.state)
    return { callable: slots.find(isCallable) ?? value, args: listOf(slots.find(isGuarded)) }
  }
  // In between: the function and a tuple of its arguments.
  const [first, ...rest] = listOf(value)
  return { callable: first, args: isGuarded(rest) ? rest : listOf(rest[0]) }
}

function payloadIn([name, payload]: readonly unknown[]): Payload | undefined {
  return name === guard && payload instanceof Uint8Array ? decodePayload(payload) : undefined
}

function isGuarded(value: unknown): boolean {
  return Array.isArray(value) && value[0] === guard
}

function isCallable(value: unknown): boolean {
  return value instanceof PyGlobal || value instanceof PyObject
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** In parentheses, if it has one. A function that was written where it was used has only that of its maker. */
function nameOf(callable: unknown): string {
  return callable instanceof PyGlobal ? ` (${callable.type})` : ''
}
