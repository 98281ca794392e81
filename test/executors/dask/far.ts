import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Task } from 'mintaka'
import tap, { type Test } from 'tap'
import { startProcess, temporaryFolder } from '../../fixtures/dask/process.js'
import { root } from '../../fixtures/project.js'
import { Bench } from './fixtures/bench.js'

tap.setTimeout(60_000)

const program = `
import { z } from 'zod'
import { task } from 'mintaka'

const Order = z.object({ id: z.number(), lines: z.array(z.string()) })

export const check = task('check', order => ({ lines: Order.parse(order).lines.length, user: process.getuid(), at: process.cwd() }))
`

tap.test('a worker of another user, which cannot see the project, runs tasks that import packages', async t => {
  const bench = await Bench.start(t, { workers: [['--name', 'near']] })
  const project = temporaryFolder(t)
  mkdirSync(join(project, 'node_modules'))
  for (const [name, path] of Object.entries({ mintaka: root, zod: join(root, 'node_modules', 'zod') })) {
    symlinkSync(path, join(project, 'node_modules', name))
  }
  writeFileSync(join(project, 'tasks.mjs'), program)
  const { check } = (await import(pathToFileURL(join(project, 'tasks.mjs')).href)) as { check: Task<[unknown], Seen> }
  const order = { id: 1, lines: ['a', 'b'] }
  t.match(await bench.run(() => check(order)), { lines: 2 })

  chmodSync(project, 0)
  await farWorker(t, bench.scheduler.address)
  const seen = (await bench.run(() => check.with({ annotations: { workers: ['far'] } })(order))) as Seen
  chmodSync(project, 0o700)
  t.equal(seen.lines, 2)
  t.equal(seen.user, isRoot ? nobody : process.getuid?.())
  t.equal(seen.at, '/')
})

interface Seen {
  readonly lines: number
  readonly user: number
  readonly at: string
}

const isRoot = process.getuid?.() === 0
const nobody = 65534

/** A worker from a copy of what its package brings along, as another user where that is possible. */
async function farWorker(t: Test, address: string): Promise<void> {
  const home = temporaryFolder(t)
  const packages = ['@msgpack/msgpack', 'comlink', 'commander', 'fzstd', 'picocolors', 'piscina', 'snappyjs']
  cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(home, 'package.json'))
  for (const name of packages) {
    cpSync(join(root, 'node_modules', name), join(home, 'node_modules', name), { recursive: true, dereference: true })
  }
  chmodSync(home, 0o755)
  const scratch = join(home, 'scratch')
  mkdirSync(scratch)
  chmodSync(scratch, 0o777)
  const flags = [address, '--name', 'far', '--host', '127.0.0.1', '--local-directory', scratch, '--exit-with-stdin']
  const command = ['env', '--chdir=/', process.execPath, join(home, 'dist', 'workers', 'dask-worker.js'), ...flags]
  const become = isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : []
  const [program = '', ...args] = [...become, ...command]
  const worker = startProcess(t, program, args)
  await worker.said(/Start worker at/)
}
