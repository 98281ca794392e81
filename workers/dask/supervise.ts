import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { argumentsOf, type WorkerFlags } from '../../lib/dask/worker-flags.js'
import { watchParent } from './watch-parent.js'

const entry = fileURLToPath(new URL('../dask-worker.js', import.meta.url))

/** How long until a worker that was lost is started again. */
const restartMs = 1000
/** Exit codes of workers that ended because they wanted to, or knew that they could not go on: they are not started again. */
const ownEnds = [0, 1, 2, 130, 143]

/**
 * Runs several workers, each in a process of its own. One that is lost (killed, out of memory) is started again. They end
 * with this process, however it ends. Gives the exit code: that of the first worker that could not go on.
 */
export async function supervise(flags: WorkerFlags): Promise<number> {
  const children = new Set<ChildProcess>()
  let signal: NodeJS.Signals | undefined
  const end = (name: NodeJS.Signals) => {
    for (const child of children) child.kill(signal === undefined ? name : 'SIGKILL')
    signal ??= name
  }
  const onTerm = () => end('SIGTERM')
  const onInt = () => end('SIGINT')
  const stopWatching = watchParent(flags, onTerm)
  process.on('SIGTERM', onTerm).on('SIGINT', onInt)

  const run = async (number: number): Promise<number> => {
    for (;;) {
      const child = start(flags, number)
      children.add(child)
      const [code] = (await once(child, 'exit')) as [number | null]
      children.delete(child)
      if (signal !== undefined || (code !== null && ownEnds.includes(code))) return code ?? 0
      await new Promise(resolve => setTimeout(resolve, restartMs))
      if (signal !== undefined) return 0
    }
  }
  try {
    const codes = await Promise.all(Array.from({ length: flags.nworkers }, (_, number) => run(number)))
    return codes.find(code => code !== 0) ?? 0
  } finally {
    stopWatching()
    process.off('SIGTERM', onTerm).off('SIGINT', onInt)
  }
}

/** Where ports are given, each takes the next one of them. */
function start(flags: WorkerFlags, number: number): ChildProcess {
  const { name } = flags
  const own: WorkerFlags = {
    ...flags,
    name: name === undefined ? undefined : `${name}-${number}`,
    nworkers: 1,
    exitWithStdin: true,
    parentPid: undefined,
  }
  return spawn(process.execPath, [...process.execArgv, entry, ...argumentsOf(own)], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
}
