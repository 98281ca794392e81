import { onAbort } from '../../core/on-abort.js'

/** Rejects with the reason of the signal as soon as it fires, whatever becomes of the work. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  work.catch(() => {}) // after an abort nobody asks how it went
  signal.throwIfAborted()
  let takeBack = () => {}
  const aborted = new Promise<never>((_, reject) => {
    takeBack = onAbort(signal, () => reject(signal.reason))
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    takeBack()
  }
}
