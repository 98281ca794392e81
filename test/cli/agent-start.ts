import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createEngine, type DeploymentOptions, deployment, type Engine, flow, JsonStore } from 'mintaka'
import { test } from 'tap'
import { until } from '../deployments/fixtures/until.js'
import { silent } from '../engine/fixtures/engine.js'
import { aliveOf } from '../fixtures/dask/processes.js'
import { bin, mintakaIn } from './fixtures/mintaka.js'

interface T {
  testdir(files: Record<string, string>): string
  teardown(end: () => unknown): unknown
}

const flows = `
  import { appendFileSync, existsSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { deployment, flow, flowContext } from 'mintaka'
  const etl: unknown = flow('etl', async (p?: { n: number }) => {
    console.log('seen', p?.n ?? process.execArgv.join())
    return p?.n
  })
  flow('waits', async (file: string) => {
    console.log('waits as', process.pid)
    while (!existsSync(file)) await setTimeout(20, undefined, { signal: flowContext().signal })
  })
  flow('spins', (file: string) => {
    appendFileSync(file, String(process.pid))
    for (;;);
  })
  deployment('renamed', flow('other', () => 'own').with({ description: 'as deployed' }))
`

/** A store with deployments of flows of a file, and agents on it. */
async function set(t: T) {
  const folder = t.testdir({
    'flows.ts': flows,
    'broken.mjs': 'throw new RangeError("too early")',
    'leaves.mjs': 'process.exit(0)',
  })
  const home = join(folder, 'home')
  const engine = createEngine({ store: new JsonStore({ folder: home }), logger: silent })
  t.teardown(() => engine.close({ timeoutMs: 0 }))
  const deploy = async (id: string, options?: DeploymentOptions<unknown>, file = 'flows.ts') => {
    const [flowName = '', name = ''] = id.split('/')
    const definition = deployment<[unknown], unknown>(
      name,
      flow(flowName, (_: unknown) => 1),
      options,
    )
    return engine.deployments.create(definition, { file: join(folder, file) })
  }
  const start = (...args: string[]) => agentIn(t, home, args)
  const settled = async (...ids: string[]) => {
    await until(async () => (await engine.deployments.scheduled()).every(({ id }) => !ids.includes(id)))
    return Promise.all(ids.map(async id => (await engine.flowRuns.get(id))?.run))
  }
  return { folder, engine, deploy, start, settled, mintaka: mintakaIn(folder) }
}

/** `mintaka agent start`, with what it has printed so far. */
function agentIn(t: T, home: string, args: readonly string[]) {
  const child = spawn(process.execPath, [bin, 'agent', 'start', ...args], {
    env: { ...process.env, MINTAKA_HOME: home, MINTAKA_LOG: 'error', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', line => lines.push(line))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const says = (text: string) => until(async () => lines.some(line => line.includes(text)))
  return { child, lines, ended, says }
}

const ends = (lines: readonly string[]) => lines.filter(line => /^\d\d:\d\d:\d\d {2}(?!begins)/.test(line))

async function begun(engine: Engine, id: string): Promise<void> {
  await until(async () => (await engine.flowRuns.get(id))?.run.state.type === 'RUNNING')
}

async function signal(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  child.kill(name)
}

test('an agent runs what is due in processes of their own, and tells of each in a line', async t => {
  const { engine, deploy, start, settled, mintaka } = await set(t)
  await deploy('etl/daily', { parameters: { n: 1 } })
  await deploy('etl/small', { limits: { memoryBytes: 100 * 1024 * 1024 } })
  await deploy('other/renamed')
  await deploy('lost/daily')
  await deploy('etl/broken', {}, 'broken.mjs')
  await deploy('etl/gone', {}, 'gone.ts')
  const { run } = engine.deployments
  const ids = ['etl/daily', 'etl/small', 'other/renamed', 'lost/daily', 'etl/broken', 'etl/gone']
  const runs = []
  for (const id of ids) runs.push(await run.call(engine.deployments, id, { name: id.replace('/', '-') }))
  const agent = start('--concurrency', '3')
  const [daily, small, renamed, lost, broken, gone] = await settled(...runs.map(({ id }) => id))
  t.match(daily, { name: 'etl-daily', deployment: 'etl/daily', state: { type: 'COMPLETED', result: 1 } })
  t.match(small?.state, { type: 'COMPLETED' })
  t.match(renamed, { description: 'as deployed', state: { result: 'own' } }, 'the flow as its deployment has it')
  t.match(lost?.state, { type: 'FAILED', message: /no flow 'lost' in/ })
  t.match(broken?.state, { type: 'FAILED', error: { cause: { name: 'RangeError', message: 'too early' } } })
  t.match(gone?.state, { type: 'FAILED', message: /'etl\/gone' is of .*gone\.ts, which is not there/ })
  t.ok(agent.lines.includes('etl-daily | seen 1'), agent.lines.join('\n'))
  t.match(
    agent.lines.find(line => line.startsWith('etl-small')),
    /max-old-space-size=100/,
  )
  const { stdout } = await mintaka('flow-run', 'inspect', 'etl-daily')
  t.match(stdout, /\n {2}scheduled {3}\d{4}-.* ago\n/, 'also of one that has begun')
  await until(async () => ends(agent.lines).length === 6)
  t.equal(agent.lines.filter(line => line.includes('  begins  ')).length, 6)
  await signal(agent.child, 'SIGTERM')
  t.equal(await agent.ended, 143)
  t.match(agent.lines.at(-1), /^Agent \w+ has stopped\.$/)
})

test('an agent goes on when whoever reads its lines has gone', async t => {
  const { engine, deploy, start, settled } = await set(t)
  await deploy('etl/daily', { parameters: { n: 1 } })
  const agent = start()
  await agent.says('is ready')
  agent.child.stdout?.destroy()
  agent.child.stderr?.destroy()
  for (const name of ['first', 'second']) {
    const { id } = await engine.deployments.run('etl/daily', { name })
    t.match((await settled(id))[0], { name, state: { type: 'COMPLETED', result: 1 } })
  }
  agent.child.kill('SIGINT')
  t.equal(await agent.ended, 130)
})

test('a run that never lets go of its thread ends with its agent, and the schedule goes on', async t => {
  const { engine, folder, deploy, start, settled } = await set(t)
  const witness = join(folder, 'witness')
  await deploy('spins/daily', { parameters: witness })
  const { id } = await engine.deployments.run('spins/daily')
  const agent = start()
  await until(async () => existsSync(witness))
  agent.child.kill('SIGKILL')
  await agent.ended
  start()
  const [run] = await settled(id)
  t.match(run?.state, { type: 'CRASHED' })
  t.strictSame(aliveOf([Number(readFileSync(witness, 'utf8'))]), [])
})

test('a file that ends its process while it is loaded loses no run', async t => {
  const { engine, deploy, start, settled } = await set(t)
  await deploy('etl/leaves', {}, 'leaves.mjs')
  const { id } = await engine.deployments.run('etl/leaves', { name: 'calm\u001b[31m\nowl' })
  start()
  const [run] = await settled(id)
  t.match(run?.state, {
    type: 'CRASHED',
    message: /^Process \d+ ended with exit code 0 before it began flow run 'calm/,
  })
})

test('Ctrl-C lets what runs end, a second one cancels it', async t => {
  const { engine, folder, deploy, start, settled } = await set(t)
  await deploy('waits/daily', { parameters: join(folder, 'never') })
  const first = await engine.deployments.run('waits/daily')
  const agent = start()
  await begun(engine, first.id)
  await signal(agent.child, 'SIGINT')
  await agent.says('Waiting for 1 run; Ctrl-C again cancels')
  const later = await engine.deployments.run('waits/daily')
  await new Promise(resolve => setTimeout(resolve, 60)) // one key press may arrive twice
  await signal(agent.child, 'SIGINT')
  t.equal(await agent.ended, 130)
  const [run] = await settled(first.id)
  t.match(run?.state, { type: 'CANCELLED', message: /its agent stops/ })
  t.equal(await engine.flowRuns.get(later.id), undefined, 'it begins nothing more')
})

test('what an agent that is killed was running is CRASHED, once, and the next agent goes on', async t => {
  const { engine, folder, deploy, start, settled } = await set(t)
  await deploy('waits/daily', { parameters: join(folder, 'never') })
  await deploy('etl/daily', { parameters: { n: 5 } })
  const first = await engine.deployments.run('waits/daily')
  const agent = start()
  await begun(engine, first.id)
  const next = await engine.deployments.run('etl/daily', { at: Date.now() + 60_000 })
  await signal(agent.child, 'SIGKILL')
  await agent.ended
  const later = await engine.deployments.run('etl/daily', { name: 'later' })
  const other = start()
  await other.says('later | seen 5')
  const [run] = await settled(first.id, later.id)
  t.match(run?.state, { type: 'CRASHED' })
  t.equal(run?.runCount, 1)
  t.match(await engine.deployments.scheduled(), [{ id: next.id }], 'what is to come still is')
})

test('a process that is killed makes its run CRASHED; one that takes too long is ended', async t => {
  const { engine, folder, deploy, start, settled } = await set(t)
  await deploy('waits/daily', { parameters: join(folder, 'never') })
  await deploy('waits/limited', { parameters: join(folder, 'never'), limits: { timeoutMs: 300 } })
  const [killed, limited] = [await engine.deployments.run('waits/daily'), await engine.deployments.run('waits/limited')]
  const agent = start()
  const name = `${killed.name} | waits as `
  await agent.says(name)
  const pid = agent.lines.find(line => line.startsWith(name))?.slice(name.length)
  process.kill(Number(pid), 'SIGKILL')
  const [crash, timedOut] = await settled(killed.id, limited.id)
  t.match(crash?.state, { type: 'CRASHED' })
  t.match(timedOut?.state, { type: 'FAILED', name: 'TimedOut' })
})
