import { MintakaError } from '../lib/core/errors.js'
import type { Claims } from '../lib/threads/claims.js'
import type { Code, Envelope, Reply } from '../lib/threads/protocol.js'
import { fromWire, thrownToWire, toWire } from '../lib/values/wire.js'
import { CallContext, runAs } from './context.js'
import { functionOf } from './door.js'

type Fn = (...args: unknown[]) => unknown

const codes = new Map<number, Code>()
const functions = new Map<string, Fn>()

/**
 * Carries a call out: finds its function, runs it with the decoded arguments, encodes what came of it. Never throws.
 * `moved` takes the buffers that the reply should move.
 */
export function carryOut(envelope: Envelope, claims: Claims, moved: ArrayBuffer[]): Reply | Promise<Reply> {
  const code = codeOf(envelope)
  const context = new CallContext(envelope, code.taskName, claims)
  const reply = (type: Reply['type'], value: unknown): Reply => {
    context.end()
    return { type, value, posted: context.posted }
  }
  const returned = (value: unknown): Reply => {
    try {
      return reply('returned', toWire(value, 'the result', { task: code.taskName, moved }))
    } catch (error) {
      return threw(error)
    }
  }
  const threw = (thrown: unknown): Reply => reply('threw', thrownToWire(thrown))

  if (claims.isStopped(envelope.n)) return reply('stopped', undefined)
  try {
    const value = run(code, envelope.args, context)
    return isThenable(value) ? Promise.resolve(value).then(returned, threw) : returned(value)
  } catch (thrown) {
    return threw(thrown)
  }
}

// Sent whole the first time, and kept also when it does not load.
function codeOf({ code, newCode }: Envelope): Code {
  if (newCode) codes.set(code, newCode)
  return codes.get(code) as Code
}

function run(code: Code, args: unknown, context: CallContext): unknown {
  const call = (fn: Fn): unknown => runAs(context, () => fn(...(fromWire(args) as unknown[])))
  const fn = functions.get(code.key)
  // Loaded outside the call: what stands at the top level of a module belongs to no task.
  return fn ? call(fn) : load(code).then(call)
}

// The import is waited for to its end: a module that awaits at its top level what never comes is never ready.
async function load(code: Code): Promise<Fn> {
  const module = (await import(code.url)) as Record<string, unknown>
  const { taskName, exportName, captures } = code
  const fn = exportName === undefined ? made(module, captures) : functionOf(module[exportName])
  if (typeof fn !== 'function') {
    const name = exportName ?? 'default'
    const text = `Task '${taskName}': ${code.url} has no function '${name}' to export.`
    throw new MintakaError('BUILD', text, { task: taskName, file: code.url })
  }
  functions.set(code.key, fn)
  return fn
}

function made(module: Record<string, unknown>, captures: unknown): Fn {
  const make = module['default'] as (captures: unknown) => unknown
  return functionOf(typeof make === 'function' ? make(fromWire(captures) ?? {}) : undefined)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
