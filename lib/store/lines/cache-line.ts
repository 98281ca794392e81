import { states } from '../../core/state.js'
import type { CacheEntry, NotPersisted } from '../../core/store.js'
import { parseLine, quoted } from './line.js'
import { resultField, type ValueCodec, valueField } from './line-values.js'
import { messageField } from './state-fields.js'

/** A cache entry, which has a file for itself; the reason if its result cannot be kept. */
export function cacheLine(
  key: string,
  { state, expires, runId }: CacheEntry,
  codec: ValueCodec,
): string | NotPersisted {
  const result = codec.files
    ? resultField(state.result, codec, '')
    : valueField('r', state.result, codec, Number.POSITIVE_INFINITY)
  if (result.startsWith(',"x":')) return { notPersisted: JSON.parse(result.slice(5)) as string }
  const until = expires === undefined ? '' : `,"until":${expires}`
  const from = state.cachedFrom === undefined ? '' : `,"from":${quoted(state.cachedFrom)}`
  const start = `"is":"${state.name}","at":${state.timestamp}${messageField(state.message)}${from}`
  return `{"k":${quoted(key)},"run":${quoted(runId)}${until},${start}${result}}\n`
}

/** The entry that a file of the cache holds. `undefined`: it is damaged, or cannot be read any more. */
export function cacheEntryOf(text: string, codec: ValueCodec): CacheEntry | undefined {
  const line = parseLine(text.trimEnd())
  if (typeof line?.fields.run !== 'string') return undefined
  const { run: runId, until: expires, file, at } = line.fields
  try {
    const text = file === undefined ? line.value : codec.files?.read('', file).text
    if (file !== undefined && text === undefined) return undefined
    const result = text === undefined ? undefined : codec.decode(text)
    const state = states.completed(at, result, line.fields.m)
    return {
      state: line.fields.is === 'Cached' ? states.cached(at, result, line.fields.from) : state,
      runId,
      ...(expires !== undefined && { expires }),
    }
  } catch {
    return undefined
  }
}

/** The name of the file that has the result of such an entry, if one has. */
export function fileOfEntry(text: string): string | undefined {
  return parseLine(text.trimEnd())?.fields.file
}
