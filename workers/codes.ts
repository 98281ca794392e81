import { MintakaError } from '../lib/core/errors.js'
import type { Code } from '../lib/threads/protocol.js'
import { fromWire } from '../lib/values/wire.js'
import { functionOf } from './door.js'

export type Fn = (...args: unknown[]) => unknown

/** By number: what the pool has sent, and what has come of it. */
const codes = new Map<number, Code>()
const functions: (Fn | undefined)[] = []

/** Kept also when it does not load: a code is sent once. A number that meant another code means this one now. */
export function know(number: number, code: Code): void {
  codes.set(number, code)
  functions[number] = undefined
}

/** The function of a code, if it has been loaded. */
export function functionFor(number: number): Fn | undefined {
  return functions[number]
}

export async function loadFunction(number: number): Promise<void> {
  functions[number] = await importFunction(codes.get(number) as Code)
}

/** The import is waited for to its end: a module that awaits at its top level what never comes is never ready. */
export async function importFunction({ taskName, url, exportName, captures }: Code): Promise<Fn> {
  const module = (await import(url)) as Record<string, unknown>
  const fn = exportName === undefined ? made(module, captures) : functionOf(module[exportName])
  if (typeof fn === 'function') return fn
  const name = exportName ?? 'default'
  const text = `Task '${taskName}': ${url} has no function '${name}' to export.`
  throw new MintakaError('BUILD', text, { task: taskName, file: url })
}

function made(module: Record<string, unknown>, captures: unknown): Fn {
  const make = module['default'] as (captures: unknown) => unknown
  return functionOf(typeof make === 'function' ? make(fromWire(captures) ?? {}) : undefined)
}
