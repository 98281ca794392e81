/** What Dask's own tools start by name: a worker class, and a worker module. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, t as tap, test } from 'tap'
import { nodeWorker, workersNamed, workersOf } from '../../fixtures/dask/ask.js'
import { makeCertificates } from '../../fixtures/dask/certificates.js'
import { type DaskEnvironment, daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'
import { type DaskProcess, startProcess } from '../../fixtures/dask/process.js'
import { aliveAfter, descendantsOf } from '../../fixtures/dask/processes.js'
import { startScheduler } from '../../fixtures/dask/scheduler.js'
import { root } from '../../fixtures/project.js'

tap.setTimeout(120_000)

const env = {
  PYTHONPATH: join(root, 'lib', 'dask', 'clusters', 'python'),
  PYTHONDONTWRITEBYTECODE: '1',
  MINTAKA_WORKER_COMMAND: JSON.stringify(nodeWorker),
}

function daskSpec(t: Test, { python }: DaskEnvironment, address: string, opts: object): DaskProcess {
  const spec = JSON.stringify({ cls: 'mintaka_dask.NodeWorker', opts })
  return startProcess(t, python, ['-m', 'distributed.cli.dask_spec', address, '--spec', spec], env)
}

for (const environment of daskEnvironments()) {
  test(`dask spec of ${environment.version} starts a Node worker by its name, which ends with it`, async t => {
    const scheduler = await startScheduler(t, environment)
    const opts = { name: 'by name', nthreads: 2, resources: { GPU: 1 } }
    const spec = daskSpec(t, environment, scheduler.address, opts)
    const [worker] = await workersNamed(scheduler.address, ['by name'])
    t.match(worker, { nthreads: 2, resources: { node: 1, GPU: 1 } })
    const pids = descendantsOf(spec.process.pid ?? 0)
    t.ok(pids.length >= 1)
    await spec.kill('SIGKILL')
    t.strictSame(await aliveAfter(pids, 5000), [])
    await workersNamed(scheduler.address, [])
  })
}

test('the package has the Python files, and no others of their kind', async t => {
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' })
  const [{ files }] = JSON.parse(text) as [{ files: { path: string }[] }]
  const folder = 'lib/dask/clusters/python/mintaka_dask'
  const sources = readdirSync(join(root, folder)).filter(name => name.endsWith('.py'))
  const packed = files.map(({ path }) => path).filter(path => path.includes('/mintaka_dask/'))
  t.strictSame(packed.sort(), sources.map(name => `dist/${folder}/${name}`).sort())
})

test('an option that no worker has is refused', async t => {
  const scheduler = await startScheduler(t)
  const spec = daskSpec(t, newestDask(), scheduler.address, { name: 'x', ntreads: 2 })
  await spec.said(/TypeError: NodeWorker got an unexpected option 'ntreads'/)
})

test('python -m mintaka_dask.worker is a Node worker with the flags of dask worker', async t => {
  const scheduler = await startScheduler(t)
  const flags = ['--name', 'job-1', '--nthreads', '2', '--memory-limit', '1GB', '--nanny', '--death-timeout', '60']
  const { python } = newestDask()
  const job = startProcess(
    t,
    python,
    ['-m', 'mintaka_dask.worker', scheduler.address, ...flags, '--host', '127.0.0.1'],
    env,
  )
  await job.said(/Start worker at/)
  t.match(await workersOf(scheduler.address), [{ name: 'job-1', nthreads: 2, memory_limit: 1e9 }])
})

test('SpecCluster starts Node workers with certificates that it holds as text', async t => {
  const { ca, cert, key } = makeCertificates(t)
  const pem = JSON.stringify({ ca, cert, key })
  const script = `
import asyncio, json, sys
from distributed import LocalCluster
from distributed.security import Security
from mintaka_dask import NodeWorker

async def main():
    pem = json.loads(sys.argv[1])
    roles = {f"tls_{role}_{what}": pem[what] for role in ("scheduler", "worker", "client") for what in ("cert", "key")}
    security = Security(tls_ca_file=pem["ca"], require_encryption=True, **roles)
    options = dict(worker_class=NodeWorker, n_workers=1, threads_per_worker=1, security=security, dashboard_address=None)
    async with LocalCluster(asynchronous=True, **options) as cluster:
        print("workers of", cluster.scheduler_address, len(cluster.scheduler.workers), flush=True)

asyncio.run(main())
`
  const python = startProcess(t, newestDask().python, ['-c', script, pem], env)
  t.match(await python.said(/workers of (\S+) 1/), [/./, /^tls:/])
})
