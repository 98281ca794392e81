import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, t as tap, test } from 'tap'
import type { ClusterWith } from '../../../lib/dask/clusters/cluster.js'
import { type PythonClusterOptions, startPythonCluster } from '../../../lib/dask/clusters/python-cluster.js'
import { nodeWorker, workersNamed, workersOf } from '../../fixtures/dask/ask.js'
import { daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'
import { aliveAfter, aliveOf, commandOf, descendantsOf } from '../../fixtures/dask/processes.js'

tap.setTimeout(180_000)

const { python } = newestDask()
const localCluster = 'distributed.LocalCluster'

/** A cluster of the newest Dask, without a dashboard, until the test ends. */
async function start(
  t: Test,
  className: string,
  clusterOptions: PythonClusterOptions['clusterOptions'] = {},
  options: Partial<PythonClusterOptions> = {},
): Promise<ClusterWith<'scale' | 'adapt' | 'ended'>> {
  const own = className === localCluster ? { threadsPerWorker: 1, dashboard_address: null } : {}
  const cluster = await startPythonCluster(className, {
    ...{ nodeWorker, log() {}, ...options },
    clusterOptions: { python, ...own, ...clusterOptions },
  })
  t.teardown(() => cluster[Symbol.asyncDispose]())
  return cluster
}

/** Makes the classes of a module importable for the processes of this test. */
function pythonModule(t: Test, name: string, text: string): void {
  const folder = t.testdir({})
  writeFileSync(join(folder, `${name}.py`), text)
  const before = process.env['PYTHONPATH']
  process.env['PYTHONPATH'] = folder
  t.teardown(() => {
    if (before === undefined) delete process.env['PYTHONPATH']
    else process.env['PYTHONPATH'] = before
  })
}

for (const environment of daskEnvironments()) {
  test(`LocalCluster of Dask ${environment.version} runs Node workers, and nothing of it stays`, async t => {
    const { python } = environment
    const cluster = await start(t, localCluster, { python, workers: 2, memoryLimit: '300MB', resources: { GPU: 1 } })
    t.match(cluster.schedulerAddress, /^tcp:\/\/127\.0\.0\.1:\d+$/)
    t.equal(cluster.dashboardLink, undefined)
    t.equal(cluster.tls, undefined)
    const [zero, one] = await workersNamed(cluster.schedulerAddress, [0, 1])
    const known = { nthreads: 1, memory_limit: 300e6, resources: { node: 1, GPU: 1 } }
    t.match(zero, { name: 0, ...known })
    t.match(one, { name: 1, ...known })
    await cluster.scale(3)
    t.equal((await workersOf(cluster.schedulerAddress)).length, 3)
    await cluster.scale(1)
    await workersNamed(cluster.schedulerAddress, [0])
    const processes = descendantsOf(process.pid)
    await cluster[Symbol.asyncDispose]()
    t.strictSame(aliveOf(processes), [])
  })

  test(`LocalCluster of Dask ${environment.version} starts a Node worker again that was killed`, async t => {
    const cluster = await start(t, localCluster, { python: environment.python, workers: 1 })
    const [worker] = descendantsOf(process.pid).filter(pid => commandOf(pid).includes('dask-worker.js'))
    process.kill(worker ?? 0, 'SIGKILL')
    await workersNamed(cluster.schedulerAddress, [])
    await workersNamed(cluster.schedulerAddress, [0])
  })
}

const refusals: [says: string, className: string, options: Record<string, unknown>, error: RegExp, pyType: string][] = [
  [
    'a module that is not there',
    'nowhere.Cluster',
    {},
    /'nowhere'\. Install it: .* -m pip install nowhere$/,
    'ModuleNotFoundError',
  ],
  ['a class that is not there', 'distributed.Nothing', {}, /module 'distributed' has no 'Nothing'/, 'ImportError'],
  ['a class of something else', 'collections.OrderedDict', {}, /is not a Dask cluster class/, 'TypeError'],
  [
    'an option that the class has not',
    'distributed.SpecCluster',
    { thredsPerWorker: 1 },
    /thredsPerWorker/,
    'TypeError',
  ],
  ['one that the workers have not', localCluster, { workers: 1, thredsPerWorker: 1 }, /thredsPerWorker/, 'TypeError'],
  ['a scheduler for threads only', localCluster, { processes: false }, /leave out processes=False/, 'ValueError'],
]

for (const [says, className, options, message, pyType] of refusals) {
  test(`${says} is refused with what Python says`, async t => {
    await t.rejects(start(t, className, options), { code: 'DASK_CLUSTER', message, pyType, traceback: /Traceback/ })
    t.strictSame(aliveOf(descendantsOf(process.pid)), [])
  })
}

test('our options are checked here', async t => {
  const named = {
    code: 'INVALID_OPTION',
    message: /'cluster' should be the dotted name of a Python class, .* not 'LocalCluster'/,
  }
  await t.rejects(start(t, 'LocalCluster'), named)
  await t.rejects(start(t, localCluster, { workers: -1 }), { code: 'INVALID_OPTION' })
  await t.rejects(start(t, localCluster, {}, { adapt: { minimum: 2, maximum: 1 } }), { code: 'INVALID_OPTION' })
})

test('a worker that cannot start ends the start, with what it said', async t => {
  const broken = [process.execPath, '-e', "console.error('no such thing'); process.exit(2)", '--']
  await t.rejects(start(t, localCluster, { workers: 1 }, { nodeWorker: broken }), {
    code: 'DASK_CLUSTER',
    message: /Node worker 0 ended with code 2 as it started\. It said:\nno such thing/,
  })
  t.strictSame(aliveOf(descendantsOf(process.pid)), [])
})

test('what a class prints disturbs nothing, and tells why a process ended', async t => {
  pythonModule(
    t,
    'chatty',
    `
import os
from distributed import LocalCluster

class Chatty(LocalCluster):
    def __init__(self, **options):
        print("{not json")
        super().__init__(**options)

class Fatal:
    def __init__(self, **options):
        print("these are my last words", flush=True)
        os._exit(5)
`,
  )
  const cluster = await start(t, 'chatty.Chatty', { workers: 0, dashboard_address: null })
  t.match(cluster.schedulerAddress, /^tcp:/)
  await t.rejects(start(t, 'chatty.Fatal'), {
    code: 'DASK_CLUSTER',
    message: /with code 5\. It said last:\nthese are my last/,
  })
})

test('a class whose object is ready at once, with methods that do not wait, will do', async t => {
  pythonModule(
    t,
    'plain',
    `
class Plain:
    def __init__(self, asynchronous, **options):
        self.scheduler_address = "tcp://127.0.0.1:1"
        self.dashboard_link = "http://127.0.0.1:2/status"
        self.options = options

    def scale(self, workers):
        raise RuntimeError(f"{workers} of {self.options}")
`,
  )
  const cluster = await start(t, 'plain.Plain', { queue: 'long', memoryLimit: 5, workers: 1 })
  t.equal(cluster.schedulerAddress, 'tcp://127.0.0.1:1')
  t.equal(cluster.dashboardLink, 'http://127.0.0.1:2/status')
  await t.rejects(cluster.scale(4), {
    code: 'DASK_CLUSTER',
    message: "RuntimeError: 4 of {'queue': 'long', 'memory_limit': 5, 'n_workers': 1}",
  })
})

test('a start that is ended is given up here, and behind the scenes brought to its end and closed', async t => {
  const reason = new Error('enough')
  const controller = new AbortController()
  pythonModule(
    t,
    'slow',
    `
import asyncio, pathlib

class Slow:
    scheduler_address = "tcp://127.0.0.1:1"

    def __init__(self, folder, **options):
        self.folder = pathlib.Path(folder)

    def __await__(self):
        return self.start().__await__()

    async def start(self):
        (self.folder / "starting").touch()
        while not (self.folder / "go on").exists():
            await asyncio.sleep(0.02)
        return self

    async def close(self):
        (self.folder / "closed").touch()
`,
  )
  const folder = t.testdirName
  const starting = start(t, 'slow.Slow', { folder }, { signal: controller.signal })
  await fileIn(folder, 'starting')
  const host = descendantsOf(process.pid)
  controller.abort(reason)
  writeFileSync(join(folder, 'go on'), '')
  await t.rejects(starting, reason)
  await fileIn(folder, 'closed')
  t.strictSame(await aliveAfter(host, 5000), [])
  await t.rejects(start(t, 'slow.Slow', {}, { signal: AbortSignal.abort(reason) }), reason)
})

/** Resolves when it is there. */
async function fileIn(folder: string, name: string): Promise<void> {
  while (!existsSync(join(folder, name))) await delay(20)
}

test('a cluster that ends by itself says so', async t => {
  const cluster = await start(t, localCluster, { workers: 0 })
  const [host] = descendantsOf(process.pid).filter(pid => commandOf(pid).includes('mintaka_dask.cluster'))
  process.kill(host ?? 0, 'SIGKILL')
  t.match(await cluster.ended, { code: 'DASK_CLUSTER', message: /LocalCluster .* was ended by SIGKILL/ })
  await t.rejects(cluster.scale(1), { code: 'DASK_CLUSTER' })
})
