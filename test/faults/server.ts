/** A server whose requests start flows goes on answering, whatever their tasks do. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { type FlowFuture, flow, ParallelExecutor } from 'mintaka'
import { type Test, t as tap } from 'tap'
import { type Act, act } from './fixtures/acts.js'
import { readWitness, until, type Watch } from './fixtures/invariants.js'
import { story } from './fixtures/story.js'

tap.setTimeout(120_000)

const threads = 2
const executor = new ParallelExecutor({ threads, cancelGraceMs: 50, idleTimeoutMs: 500 })

interface Service {
  get(path: string): Promise<unknown>
}

/** `/ping`, `/run/HOW` starts a flow of two tasks and waits for it, `/start/HOW` does not wait, `/cancel` stops all. */
async function serve(t: Test, watch: Watch): Promise<Service> {
  const report = flow(
    'report',
    async ({ how }: { how: Act }) => {
      const futures = watch.follow([act(watch.witness, how, how, 5), act(watch.witness, how, how, 5)])
      return Promise.all(futures)
    },
    { executor },
  )
  const runs: FlowFuture<unknown>[] = []
  const answer = async (verb = '', how = ''): Promise<unknown> => {
    if (verb === 'ping') return 'pong'
    if (verb === 'cancel') return Promise.all(runs.map(async run => (await run.cancel()).name))
    const run = watch.engine.run(report, { how: how as Act })
    runs.push(run)
    return verb === 'run' ? run : 'started'
  }
  const server = createServer((request, response) => {
    const [verb, how] = decodeURI(request.url ?? '')
      .slice(1)
      .split('/')
    answer(verb, how).then(
      value => response.end(JSON.stringify(value)),
      error => response.writeHead(500).end(JSON.stringify(String(error))),
    )
  })
  const port = await listen(server)
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  return { get: async path => (await fetch(`http://127.0.0.1:${port}${path}`)).json() }
}

function listen(server: Server): Promise<number> {
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
}

interface Pace {
  readonly lagMs: number
  readonly answerMs: number
}

/** The 99th percentiles of the event loop's lag and of the time that an answer takes. */
async function paceOf(service: Service, ms = 1500): Promise<Pace> {
  const lag = monitorEventLoopDelay({ resolution: 1 })
  const times: number[] = []
  lag.enable()
  const end = performance.now() + ms
  while (performance.now() < end) {
    const begin = performance.now()
    await service.get('/ping')
    times.push(performance.now() - begin)
  }
  lag.disable()
  times.sort((a, b) => a - b)
  return { lagMs: lag.percentile(99) / 1e6, answerMs: times[Math.floor(times.length * 0.99)] ?? 0 }
}

/** What this machine can do while as many bare threads spin. */
async function paceBesideBareThreads(service: Service): Promise<Pace> {
  const workers = Array.from({ length: threads }, () => new Worker('for (;;);', { eval: true }))
  await Promise.all(workers.map(worker => new Promise(resolve => worker.once('online', resolve))))
  const pace = await paceOf(service)
  await Promise.all(workers.map(worker => worker.terminate()))
  return pace
}

story('while every thread spins, the server answers as it would beside bare threads', async (t, watch) => {
  const service = await serve(t, watch)
  await service.get('/ping')
  const bare = await paceBesideBareThreads(service)
  t.equal(await service.get('/start/spins for ever'), 'started')
  t.ok(await until(() => readWitness(watch.witness).size === threads), 'all threads are busy')
  const pace = await paceOf(service)
  t.comment(`p99 of the lag ${pace.lagMs.toFixed(1)} ms, beside bare threads ${bare.lagMs.toFixed(1)} ms`)
  t.comment(`p99 of an answer ${pace.answerMs.toFixed(1)} ms, beside bare threads ${bare.answerMs.toFixed(1)} ms`)
  t.ok(pace.lagMs < 50 + 3 * bare.lagMs, `a lag of ${pace.lagMs} ms`)
  t.ok(pace.answerMs < 50 + 3 * bare.answerMs, `an answer after ${pace.answerMs} ms`)
  t.strictSame(await service.get('/cancel'), ['Cancelled'], 'the cancel frees the threads')
  t.strictSame(await service.get('/run/spins'), ['spins', 'spins'], 'for the next request')
})

story('requests that come while every thread spins run when those have been cancelled', async (t, watch) => {
  const service = await serve(t, watch)
  for (let time = 0; time < 2; time++) {
    const before = readWitness(watch.witness).size
    await service.get('/start/spins for ever')
    await until(() => readWitness(watch.witness).size >= before + threads)
    await service.get('/cancel')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => service.get(index % 2 ? '/run/nothing' : '/run/sleeps')),
    )
    t.strictSame(
      answers,
      Array.from({ length: 20 }, (_, index) => (index % 2 ? ['nothing', 'nothing'] : ['sleeps', 'sleeps'])),
    )
  }
})

story(
  'a request whose task ends its thread is answered with the reason, and the next one is served',
  async (t, watch) => {
    const service = await serve(t, watch)
    for (const how of ['exits', 'fails in the background', 'throws'] as const) {
      t.match(await service.get(`/run/${how}`), /Error/, how)
      t.strictSame(await service.get('/run/nothing'), ['nothing', 'nothing'])
    }
  },
)
