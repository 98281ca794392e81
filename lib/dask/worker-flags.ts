import { tmpdir } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { MintakaError } from '../core/errors.js'

/** What a worker process is told on its command line. Everything is as it was given: text, until it is used. */
export interface WorkerFlags {
  /** The address of the scheduler, or the file that holds it. */
  readonly scheduler: { readonly address: string } | { readonly file: string }
  readonly name: string | number | undefined
  /** Of each worker; default: the processors, shared among the workers. */
  readonly nthreads: number | undefined
  readonly nworkers: number
  /** As `memoryLimitOf` reads it. */
  readonly memoryLimit: string
  readonly resources: Readonly<Record<string, number>>
  readonly localDirectory: string
  readonly deathTimeoutMs: number | undefined
  readonly workerPorts: readonly [number, number] | undefined
  readonly host: string | undefined
  readonly interface: string | undefined
  readonly contactAddress: string | undefined
  readonly tlsCaFile: string | undefined
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  readonly exitWithStdin: boolean
  readonly parentPid: number | undefined
}

/** Options of Dask's own worker that mean nothing here. They are taken, so that what starts Dask workers can start ours. */
const ignored = [
  '--nanny',
  '--no-nanny',
  '--dashboard',
  '--no-dashboard',
  '--reconnect',
  '--no-reconnect',
  '--lifetime-restart',
  '--no-lifetime-restart',
  '--lifetime <duration>',
  '--lifetime-stagger <duration>',
  '--dashboard-address <address>',
  '--dashboard-prefix <prefix>',
  '--nanny-port <port>',
  '--listen-address <address>',
  '--protocol <protocol>',
  '--pid-file <file>',
  '--worker-class <class>',
  '--preload <module>',
  '--preload-nanny <module>',
]

/** Gives a command the arguments and options of a worker, under the names of Dask's own. */
export function defineWorkerFlags(command: Command): void {
  command
    .argument('[scheduler]', 'the address of the scheduler: tcp://host:port or tls://host:port')
    .option('--scheduler-file <file>', 'a file that holds the address; it is waited for')
    .option('--name <name>', 'by which clusters and people know the worker; a number if it looks like one')
    .option('--nthreads <number>', 'how many tasks run at once (default: the processors)', wholeFrom(1))
    .option('--nworkers <number>', 'how many worker processes', workersOf, 1)
    .option('--memory-limit <limit>', "above 80 % of it no tasks begin: bytes, '2GB', a share such as 0.5", 'auto')
    .option('--resources <list>', 'what the worker offers besides node=1: "GPU=2 MEMORY=10e9"', resourcesOf, {})
    .option('--local-directory <folder>', 'where it may write', tmpdir())
    .option(
      '--death-timeout <seconds>',
      'how long the scheduler may be out of reach at first (default: for ever)',
      secondsOf,
    )
    .option('--worker-port <port>', 'where it listens: a port, or several as 9000:9010 (default: any)', portsOf)
    .option('--host <host>', 'the address to listen on (default: that on the way to the scheduler)')
    .option('--interface <name>', 'the network interface to listen on')
    .option('--contact-address <address>', 'how others reach it, if not there: tcp://host:port')
    .option('--tls-ca-file <file>', 'the authority that has signed for the cluster (PEM)')
    .option('--tls-cert <file>', 'the certificate of the worker (PEM)')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--exit-with-stdin', 'end when standard input does')
    .option('--parent-pid <pid>', 'end when that process does', wholeFrom(1))
  for (const flags of ignored) command.addOption(new Option(flags).hideHelp())
}

/** What {@link defineWorkerFlags} has defined and a command line has given. Throws INVALID_OPTION. */
export function workerFlagsOf(scheduler: string | undefined, options: Readonly<Record<string, unknown>>): WorkerFlags {
  const given = options as Partial<Given>
  return {
    scheduler: schedulerOf(scheduler, given.schedulerFile),
    name: given.name === undefined || !/^-?\d+$/.test(given.name) ? given.name : Number(given.name),
    nthreads: given.nthreads,
    nworkers: given.nworkers ?? 1,
    memoryLimit: given.memoryLimit ?? 'auto',
    resources: given.resources ?? {},
    localDirectory: given.localDirectory ?? tmpdir(),
    deathTimeoutMs: given.deathTimeout,
    workerPorts: given.workerPort,
    host: given.host?.replace(/^\w+:\/\//, ''),
    interface: given.interface,
    contactAddress: given.contactAddress,
    tlsCaFile: given.tlsCaFile,
    tlsCert: given.tlsCert,
    tlsKey: given.tlsKey,
    exitWithStdin: given.exitWithStdin ?? false,
    parentPid: given.parentPid,
  }
}

/** The command line that gives these flags. */
export function argumentsOf(flags: WorkerFlags): string[] {
  const { scheduler, workerPorts, resources, deathTimeoutMs } = flags
  const options: readonly (readonly [string, string | number | undefined])[] = [
    ['--scheduler-file', 'file' in scheduler ? scheduler.file : undefined],
    ['--name', flags.name],
    ['--nthreads', flags.nthreads],
    ['--nworkers', flags.nworkers],
    ['--memory-limit', flags.memoryLimit],
    [
      '--resources',
      Object.entries(resources)
        .map(([name, amount]) => `${name}=${amount}`)
        .join(' ') || undefined,
    ],
    ['--local-directory', flags.localDirectory],
    ['--death-timeout', deathTimeoutMs === undefined ? undefined : deathTimeoutMs / 1000],
    ['--worker-port', workerPorts?.join(':')],
    ['--host', flags.host],
    ['--interface', flags.interface],
    ['--contact-address', flags.contactAddress],
    ['--tls-ca-file', flags.tlsCaFile],
    ['--tls-cert', flags.tlsCert],
    ['--tls-key', flags.tlsKey],
    ['--parent-pid', flags.parentPid],
  ]
  return [
    ...('address' in scheduler ? [scheduler.address] : []),
    ...options.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
    ...(flags.exitWithStdin ? ['--exit-with-stdin'] : []),
  ]
}

interface Given {
  readonly schedulerFile: string
  readonly name: string
  readonly nthreads: number
  readonly nworkers: number
  readonly memoryLimit: string
  readonly resources: Record<string, number>
  readonly localDirectory: string
  readonly deathTimeout: number
  readonly workerPort: readonly [number, number]
  readonly host: string
  readonly interface: string
  readonly contactAddress: string
  readonly tlsCaFile: string
  readonly tlsCert: string
  readonly tlsKey: string
  readonly exitWithStdin: boolean
  readonly parentPid: number
}

function schedulerOf(address: string | undefined, file: string | undefined): WorkerFlags['scheduler'] {
  if (address !== undefined) return { address }
  if (file !== undefined) return { file }
  const fromEnvironment = process.env['DASK_SCHEDULER_ADDRESS']
  if (fromEnvironment) return { address: fromEnvironment }
  const text = 'A worker needs a scheduler: give its address (tcp://host:port), or --scheduler-file.'
  throw new MintakaError('INVALID_OPTION', text, { option: 'scheduler' })
}

function wholeFrom(least: number): (text: string) => number {
  return text => {
    const number = Number(text)
    if (Number.isInteger(number) && number >= least) return number
    throw new InvalidArgumentError(`It is a whole number from ${least}.`)
  }
}

/** Threads of one process run at the same time: there is no need to guess at more. */
function workersOf(text: string): number {
  return text === 'auto' ? 1 : wholeFrom(1)(text)
}

function resourcesOf(text: string): Record<string, number> {
  const resources: Record<string, number> = {}
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const [, name = '', amount = ''] = /^([^=]+)=(.+)$/.exec(part) ?? []
    if (name === '' || !(Number(amount) >= 0))
      throw new InvalidArgumentError('It is a list such as "GPU=2 MEMORY=10e9".')
    resources[name] = Number(amount)
  }
  return resources
}

const secondsIn: Readonly<Record<string, number>> = { '': 1, s: 1, ms: 0.001, m: 60, min: 60, minutes: 60, h: 3600 }

function secondsOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim()) ?? []
  const seconds = Number(number) * (secondsIn[unit] ?? Number.NaN)
  if (number !== '' && Number.isFinite(seconds)) return seconds * 1000
  throw new InvalidArgumentError('It is a number of seconds, or such as 5min.')
}

function portsOf(text: string): readonly [number, number] {
  const [first = Number.NaN, last = first] = text.split(':').map(Number)
  if (Number.isInteger(first) && Number.isInteger(last) && first >= 0 && last <= 65_535 && first <= last)
    return [first, last]
  throw new InvalidArgumentError('It is a port, or a range such as 9000:9010.')
}
