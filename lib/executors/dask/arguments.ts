import type { Call } from '../../core/executor.js'
import { HeldResult } from '../../core/held-result.js'
import { PendingResult } from '../../core/pending-result.js'
import { copyWith, find } from '../../core/traverse.js'
import { PyDep, pythonCallPickle } from '../../dask/python-call.js'
import { isLarge } from '../../values/size.js'
import { toWire } from '../../values/wire.js'
import type { Entry } from './entry.js'

/** What the arguments of calls may stand for on the cluster. */
export interface Places {
  /** Where the result of a call is: on the cluster under a key, or here. */
  resultOf(call: Call): Entry | { readonly value: unknown }
  /** The entry behind a result that has stayed on the cluster; `undefined`: not on this one. */
  heldBy(result: HeldResult): Entry | undefined
  /** The entry that has a value which many calls share. */
  share(value: object): Entry
}

// What is smaller goes with each call: a key of its own costs a scheduler about a millisecond.
const worthSharing = 64 * 1024

/** The arguments of a call to a Node worker, in wire form, and the entries whose values they refer to, by number. */
export function nodeArguments(call: Call, places: Places): { wire: unknown; deps: Entry[] } {
  const args = withKnown(call, places)
  const deps: Entry[] = []
  const numberOf = (entry: Entry) => {
    const number = deps.indexOf(entry)
    return number === -1 ? deps.push(entry) - 1 : number
  }
  const shared = new Set(call.shared?.filter(isWorthSharing))
  const refer = (value: object): number | undefined => {
    if (shared.has(value)) return numberOf(places.share(value))
    const entry = entryOf(value, places)
    return entry && numberOf(entry)
  }
  const wire = toWire(args, index => `argument ${Number(index) + 1}`, { task: call.task.name, refer })
  return { wire, deps }
}

/** The pickle of a call to a Python function, and the entries whose values it is given. */
export function pythonArguments(call: Call, target: string, places: Places): { pickle: Buffer; deps: Entry[] } {
  const byKey = new Map<string, Entry>()
  const args = withKnown(call, places).map(arg =>
    copyWith(arg, isResult, result => {
      const entry = entryOf(result, places)
      if (!entry) return result
      byKey.set(entry.key, entry)
      return new PyDep(entry.key)
    }),
  )
  const { pickle, deps } = pythonCallPickle(target, args)
  return { pickle, deps: deps.map(key => byKey.get(key) as Entry) }
}

/** The arguments, with the results in place that are here by now. */
function withKnown({ args, upstream }: Call, places: Places): readonly unknown[] {
  if (!upstream) return args
  return args.map(arg =>
    copyWith(arg, isPending, pending => {
      const result = places.resultOf(pending.call)
      return 'value' in result ? result.value : pending
    }),
  )
}

function entryOf(value: object, places: Places): Entry | undefined {
  if (value instanceof HeldResult) return places.heldBy(value)
  if (!isPending(value)) return undefined
  const result = places.resultOf(value.call)
  return 'value' in result ? undefined : result
}

function isPending(value: object): value is PendingResult {
  return value instanceof PendingResult
}

function isResult(value: object): value is PendingResult | HeldResult {
  return isPending(value) || value instanceof HeldResult
}

// What holds results that are not here goes with its call, which depends on them.
function isWorthSharing(value: object): boolean {
  return !(value instanceof HeldResult) && isLarge(value, worthSharing) && find(value, isResult).length === 0
}
