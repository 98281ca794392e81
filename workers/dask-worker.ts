/** The process of a Dask worker: `node dask-worker.js tcp://host:port`, with the flags of `mintaka dask worker`. */
import { Command } from 'commander'
import { asError } from '../lib/core/errors.js'
import { defineWorkerFlags, workerFlagsOf } from '../lib/dask/worker-flags.js'
import { runWorkers } from './dask/main.js'

const command = new Command('dask-worker').action(async (scheduler: string | undefined, options: object) => {
  process.exit(await runWorkers(workerFlagsOf(scheduler, { ...options })))
})
defineWorkerFlags(command)
command.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${asError(error).message}\n`)
  process.exit(2)
})
