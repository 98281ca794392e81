interface Watch {
  readonly callbacks: Set<() => void>
  readonly fire: () => void
}

const watches = new WeakMap<AbortSignal, Watch>()

/**
 * Calls back when the signal fires. However many wait for one signal, it has one listener of ours: a thousand runs may
 * share it without a warning of a leak. Gives a function that takes the callback back.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const watch = watches.get(signal) ?? watchOf(signal)
  watch.callbacks.add(callback)
  return () => {
    watch.callbacks.delete(callback)
    if (watch.callbacks.size > 0 || watches.get(signal) !== watch) return
    watches.delete(signal)
    signal.removeEventListener('abort', watch.fire)
  }
}

function watchOf(signal: AbortSignal): Watch {
  const callbacks = new Set<() => void>()
  const fire = () => {
    watches.delete(signal)
    for (const callback of callbacks) callback()
  }
  signal.addEventListener('abort', fire, { once: true })
  const watch = { callbacks, fire }
  watches.set(signal, watch)
  return watch
}
