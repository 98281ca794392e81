/** What a scheduler says to its clients, as far as we listen. */
export type ClientMessage =
  | { readonly op: 'key-in-memory'; readonly key: string; readonly type?: Uint8Array }
  | { readonly op: 'task-erred'; readonly key: string; readonly exception: unknown; readonly traceback?: unknown }
  | { readonly op: 'lost-data'; readonly key: string }
  | { readonly op: 'cancelled-key'; readonly key: string }
  | { readonly op: 'cancelled-keys'; readonly keys: readonly string[]; readonly reason?: string }
  | { readonly op: 'event'; readonly topic: string; readonly event: readonly [time: number, event: unknown] }
  | { readonly op: 'restart' }
  | { readonly op: 'adjust-heartbeat-interval'; readonly interval: number }

/** A message of a stream, if it is one that has an `op`; others are passed over. */
export function clientMessages(message: unknown): readonly ClientMessage[] {
  const list = Array.isArray(message) ? message : [message]
  return list.filter(each => typeof each === 'object' && each !== null && typeof each.op === 'string')
}
