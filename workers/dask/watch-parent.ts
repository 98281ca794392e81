import type { WorkerFlags } from '../../lib/dask/worker-flags.js'

const lookEveryMs = 500

/** Tells when whoever has started this process is gone, as the flags say how to know. Gives the function that ends it. */
export function watchParent({ exitWithStdin, parentPid }: WorkerFlags, onGone: (why: string) => void): () => void {
  const stops: (() => void)[] = []
  if (exitWithStdin) stops.push(watchStdin(() => onGone('standard input has ended')))
  if (parentPid !== undefined) stops.push(watchPid(parentPid, () => onGone(`process ${parentPid} has ended`)))
  return () => {
    for (const stop of stops) stop()
  }
}

function watchStdin(onEnd: () => void): () => void {
  const { stdin } = process
  stdin.on('end', onEnd).on('error', onEnd).resume()
  return () => {
    stdin.off('end', onEnd).off('error', onEnd)
    stdin.destroy()
  }
}

function watchPid(pid: number, onEnd: () => void): () => void {
  const timer = setInterval(() => {
    if (!isAlive(pid)) onEnd()
  }, lookEveryMs)
  return () => clearInterval(timer)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
