import { Command } from 'commander'
import { test } from 'tap'
import { memoryLimitOf } from '../../lib/dask/memory-limit.js'
import { argumentsOf, defineWorkerFlags, type WorkerFlags, workerFlagsOf } from '../../lib/dask/worker-flags.js'

function parse(...args: readonly string[]): WorkerFlags {
  let flags: WorkerFlags | undefined
  const command = new Command('worker').exitOverride().configureOutput({ writeErr: () => {} })
  defineWorkerFlags(command)
  command.action((scheduler: string | undefined, options: object) => {
    flags = workerFlagsOf(scheduler, { ...options })
  })
  command.parse(args, { from: 'user' })
  return flags as WorkerFlags
}

test('the flags of a stock worker are understood', async t => {
  const flags = parse(
    ...['tcp://10.0.0.1:8786', '--name', '3', '--nthreads', '4', '--nworkers=2', '--memory-limit', '8GB'],
    ...[
      '--resources',
      'GPU=2 MEM=10e9',
      '--death-timeout',
      '60',
      '--worker-port',
      '9000:9010',
      '--host',
      'tls://0.0.0.0',
    ],
  )
  t.match(flags, {
    ...{ scheduler: { address: 'tcp://10.0.0.1:8786' }, name: 3, nthreads: 4, nworkers: 2, memoryLimit: '8GB' },
    ...{ resources: { GPU: 2, MEM: 10e9 }, deathTimeoutMs: 60_000, workerPorts: [9000, 9010], host: '0.0.0.0' },
  })
  t.equal(parse('--scheduler-file', 's.json', '--name', 'w-3').name, 'w-3')
  t.strictSame(parse('--scheduler-file', 's.json').scheduler, { file: 's.json' })
  t.equal(parse('a:1', '--death-timeout', '5 min').deathTimeoutMs, 300_000)
  t.strictSame(parse('a:1', '--worker-port', '0').workerPorts, [0, 0])
})

test('what means nothing here is taken, and changes nothing', async t => {
  const ignored = [
    '--nanny',
    '--no-nanny',
    '--no-dashboard',
    '--dashboard',
    '--lifetime',
    '1h',
    '--lifetime-stagger',
    '5m',
  ]
  t.strictSame(parse('a:1', ...ignored, '--lifetime-restart', '--protocol', 'tls', '--nanny-port', '0'), parse('a:1'))
})

test('what makes no sense is refused', async t => {
  for (const args of [
    ['--nthreads', '0'],
    ['--nworkers', 'x'],
    ['--resources', 'GPU'],
    ['--resources', 'GPU=-1'],
    ['--worker-port', '70000'],
    ['--worker-port', '20:10'],
    ['--death-timeout', 'soon'],
    ['--unknown'],
  ]) {
    t.throws(() => parse('a:1', ...args), args.join(' '))
  }
  t.throws(() => parse(), { code: 'INVALID_OPTION', message: /needs a scheduler/ })
})

test('flags become a command line that gives the same flags', async t => {
  const flags = parse(
    ...[
      'a:1',
      '--name',
      '-5',
      '--nthreads=2',
      '--memory-limit',
      '0.5',
      '--resources',
      'A=1.5 B=2',
      '--local-directory',
      '/x y',
    ],
    ...['--death-timeout', '1.5', '--worker-port', '1:2', '--interface', 'lo', '--contact-address', 'tcp://b:2'],
    ...['--tls-ca-file', 'ca', '--tls-cert', 'cert', '--tls-key', 'key', '--exit-with-stdin', '--parent-pid', '7'],
  )
  t.strictSame(parse(...argumentsOf(flags)), flags)
  const file = parse('--scheduler-file', 'f')
  t.strictSame(parse(...argumentsOf(file)), file)
})

test('a memory limit is read as Dask reads it', async t => {
  const limits: [string, number][] = [
    ['auto', 500],
    ['0', 0],
    ['0.25', 250],
    ['1', 1000],
    ['2', 2],
    ['700', 700],
    ['5000', 1000],
    ['.5 KB', 500],
    ['0.5KiB', 512],
    ['1e2', 100],
    ['2GB', 1000],
  ]
  for (const [text, bytes] of limits) t.equal(memoryLimitOf(text, 2, 1000, 4), bytes, text)
  t.equal(memoryLimitOf('auto', 8, 1000, 4), 1000)
  for (const text of ['much', '-5', '5 bananas', ''])
    t.throws(() => memoryLimitOf(text, 1), { code: 'INVALID_OPTION' }, text)
})
