import type { Command } from 'commander'
import { defineWorkerFlags, type WorkerFlags, workerFlagsOf } from '../dask/worker-flags.js'

export function define(command: Command): void {
  defineWorkerFlags(command)
  command.addHelpText('after', help).action(work)
}

const help = `
The worker needs Node and Mintaka, not your project: the code of tasks comes to it. It ends when the scheduler
closes it or is lost. SIGTERM and Ctrl-C have the scheduler move its work and its data to other workers first.
Whoever can reach the ports of a cluster can run code on it: use TLS where others share the network.

Examples:
  $ mintaka dask worker tcp://10.0.0.1:8786
  $ mintaka dask worker tcp://10.0.0.1:8786 --nthreads 4 --memory-limit 8GB --resources "GPU=1"
  $ mintaka dask worker tls://10.0.0.1:8786 --tls-ca-file ca.pem --tls-cert worker.pem --tls-key worker.key`

async function work(scheduler: string | undefined, options: object): Promise<void> {
  const main = new URL('../../workers/dask/main.js', import.meta.url)
  const { runWorkers } = (await import(main.href)) as { runWorkers(flags: WorkerFlags): Promise<number> }
  process.exitCode = await runWorkers(workerFlagsOf(scheduler, { ...options }))
}
