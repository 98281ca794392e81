import { MintakaError } from './errors.js'

/** Why a Python function cannot be run where it was called. */
export function needsDask(task: string, target: string): MintakaError {
  const text =
    `Task '${task}' is the Python function ${target}, which runs on the Python workers of a Dask cluster. ` +
    'Give its flow a DaskExecutor.'
  return new MintakaError('NEEDS_DASK', text, { task })
}
