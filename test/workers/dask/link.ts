/** A worker and a scheduler that is made by hand, so that it can err. */
import net from 'node:net'
import { tmpdir } from 'node:os'
import t, { type Test, test } from 'tap'
import { WorkerLog } from '../../../dist/workers/dask/log.js'
import { DaskWorker } from '../../../dist/workers/dask/worker.js'
import { Comm } from '../../../lib/dask/comm/comm.js'
import { RpcPool } from '../../../lib/dask/comm/rpc-pool.js'
import { encodePayload, guard } from '../../../lib/dask/payload.js'
import { PyGlobal, pyTuple } from '../../../lib/dask/pickle/objects.js'
import { isFields } from '../../../lib/dask/protocol/fields.js'
import { Pickled } from '../../../lib/dask/protocol/message.js'
import { helloBytes, serve, wireBytes } from '../../fixtures/dask/peer.js'

t.setTimeout(60_000)

type Message = Readonly<Record<string, unknown>>

/** A scheduler that registers one worker, answers heartbeats as it is told, and keeps what it hears. */
class FakeScheduler {
  readonly heard: Message[] = []
  beats: unknown = { status: 'OK', time: Date.now() / 1000, 'heartbeat-interval': 0.05 }
  address = ''
  stream: Comm | undefined
  registration: Message = {}
  private readonly listeners = new Set<() => void>()

  /** `first` is sent together with the answer to the registration. */
  static async open(t: Test, first: readonly unknown[] = [], reply: object = {}): Promise<FakeScheduler> {
    const scheduler = new FakeScheduler()
    scheduler.address = await serve(t, socket => {
      void Comm.accept(socket).then(comm =>
        comm.listen(message => {
          if (!isFields(message)) return scheduler.note(message as Message[])
          if (message['op'] !== 'register-worker')
            return comm.write(message['op'] === 'heartbeat_worker' ? scheduler.beats : 'OK')
          scheduler.registration = message
          scheduler.stream = comm
          const answer = {
            status: 'OK',
            time: Date.now() / 1000,
            'heartbeat-interval': 0.05,
            'worker-plugins': {},
            ...reply,
          }
          // In one piece, as it comes when tasks wait for a worker.
          socket.write(wireBytes(answer, ...(first.length > 0 ? [first] : [])))
        }),
      )
    })
    return scheduler
  }

  /** Resolves with a message of that op, now or later. */
  async told(op: string): Promise<Message> {
    for (;;) {
      const message = this.heard.find(message => message['op'] === op)
      if (message) return message
      await new Promise<void>(resolve => this.listeners.add(resolve))
    }
  }

  private note(messages: readonly Message[]): void {
    this.heard.push(...messages)
    for (const listener of this.listeners) listener()
    this.listeners.clear()
  }
}

async function join(t: Test, scheduler: FakeScheduler, lines: string[] = []): Promise<DaskWorker> {
  const worker = await DaskWorker.start({
    ...{ schedulerAddress: scheduler.address, nthreads: 1, memoryLimitBytes: 0, localDirectory: tmpdir() },
    log: new WorkerLog(line => lines.push(line)),
  })
  t.teardown(() => worker.close())
  return worker
}

const compute = (key: string, more: object = {}) => ({
  ...{ op: 'compute-task', key, run_id: 1, priority: [0], stimulus_id: 's', who_has: {}, nbytes: {} },
  run_spec: Pickled.of(
    pyTuple(new PyGlobal('builtins', '__import__'), pyTuple(guard, encodePayload({ type: 'data', value: 5 }))),
  ),
  ...more,
})

test('tasks that come in one piece with the answer to the registration are not lost', async t => {
  const scheduler = await FakeScheduler.open(t, [compute('early')])
  await join(t, scheduler)
  t.match(await scheduler.told('task-finished'), { key: 'early', run_id: 1, status: 'OK', typename: 'int' })
})

test('a worker tells everything that a scheduler needs to know', async t => {
  const scheduler = await FakeScheduler.open(t)
  const worker = await join(t, scheduler)
  t.match(scheduler.registration, {
    ...{
      address: worker.address,
      name: worker.address,
      status: 'running',
      nthreads: 1,
      resources: { node: 1 },
      memory_limit: 0,
    },
    ...{ services: {}, nanny: null, pid: process.pid, extra: {}, reply: false },
    metrics: {
      ...{ bandwidth: { total: Number }, spilled_bytes: { memory: 0, disk: 0 }, digests_total_since_heartbeat: {} },
      ...{ memory: Number, cpu: Number, time: Number, managed_bytes: 0, event_loop_interval: Number, task_counts: {} },
      transfer: { incoming_count_total: 0, outgoing_count_total: 0 },
    },
  })
})

test('a worker that the scheduler has forgotten ends', async t => {
  const scheduler = await FakeScheduler.open(t)
  const worker = await join(t, scheduler)
  scheduler.beats = { status: 'missing' }
  t.match(await worker.ended, { error: { code: 'DASK_CONNECT' } })
})

test('heartbeats go on when one has failed', async t => {
  const scheduler = await FakeScheduler.open(t)
  const worker = await join(t, scheduler)
  scheduler.beats = { status: 'uncaught-error', exception_text: 'not now' }
  scheduler.stream?.write([compute('still here')])
  await scheduler.told('task-finished')
  scheduler.beats = { status: 'missing' }
  t.ok(await worker.ended)
})

test('what the scheduler asks is echoed, and what is not known is passed over', async t => {
  const lines: string[] = []
  const scheduler = await FakeScheduler.open(t)
  const worker = await join(t, scheduler, lines)
  scheduler.stream?.write([
    { op: 'worker-status-change', status: 'closing_gracefully', stimulus_id: 's' },
    { op: 'something-new', key: 'x' },
    { op: 'steal-request', key: 'x', stimulus_id: 'steal-7' },
    { op: 'stream-closed' },
  ])
  t.match(await scheduler.told('worker-status-change'), { status: 'closing_gracefully' })
  t.match(await scheduler.told('steal-response'), { key: 'x', state: null, stimulus_id: 'steal-7' })
  t.match(lines.join('\n'), /'something-new', which this worker does not know/)
  scheduler.stream?.write([compute('too late')])
  scheduler.stream?.write([{ op: 'close', reason: 'that is all' }])
  t.strictSame(await worker.ended, { reason: 'that is all' })
  t.notOk(
    scheduler.heard.some(({ op }) => op === 'task-finished'),
    'a worker that leaves begins nothing',
  )
  t.ok(await scheduler.told('close-stream'))
})

test('a message of the scheduler that makes no sense is the end', async t => {
  const scheduler = await FakeScheduler.open(t)
  const worker = await join(t, scheduler)
  scheduler.stream?.write([{ op: 'compute-task', key: 'x' }])
  t.match(await worker.ended, { reason: 'the scheduler is lost', error: { code: 'DASK_PROTOCOL' } })
})

test('a scheduler that does not want the worker says why', async t => {
  const scheduler = await FakeScheduler.open(t, [], { status: 'error', message: 'name taken, x' })
  await t.rejects(join(t, scheduler), { code: 'DASK_REMOTE', message: /name taken, x/ })
})

test('peers are answered: what they may ask, and what not', async t => {
  const lines: string[] = []
  const scheduler = await FakeScheduler.open(t)
  const { address } = await join(t, scheduler, lines)
  const pool = new RpcPool()
  t.teardown(() => pool.close())
  t.strictSame(Buffer.from((await pool.call(address, 'ping')) as Uint8Array).toString(), 'pong')
  t.match(await pool.call(address, 'identity'), { type: 'Worker', nthreads: 1, scheduler: scheduler.address })
  await t.rejects(pool.call(address, 'upload_file'), { code: 'DASK_REMOTE', message: /it cannot 'upload_file'/ })
  await t.rejects(pool.call(address, 'nonsense'), {
    code: 'DASK_REMOTE',
    message: /No handler nonsense on a Node worker/,
  })
  await t.rejects(pool.call(address, 'update_data', { data: 5 }), { code: 'DASK_REMOTE' })
  t.match(await pool.call(address, 'dump_state'), { tasks: {} })
  t.match(await pool.call(address, 'get_logs', { n: 1 }), [[String, String]])
  t.strictSame(await pool.getData(address, ['unknown'], 'me'), { status: 'OK', data: Object.create(null) })
  t.match(await pool.call(address, 'gather', { who_has: { x: ['tcp://127.0.0.1:9'] } }), {
    status: 'partial-fail',
    keys: ['x'],
  })
  scheduler.stream?.write([compute('x')])
  await scheduler.told('task-finished')
  t.strictSame(await pool.call(address, 'keys'), ['x'])
  t.match(await pool.call(address, 'get_story', { keys_or_stimuli: ['x'] }), [
    ['x', 'forgotten', 'waiting', 'compute-task'],
  ])
  t.match(await pool.call(address, 'free_keys', { keys: ['x'] }), { status: 'OK' })
  t.strictSame(await pool.call(address, 'keys'), [])
  t.equal(await pool.call(address, 'terminate', { reason: 'enough' }), 'OK')
})

test('strangers do a worker no harm', async t => {
  const scheduler = await FakeScheduler.open(t)
  const { address } = await join(t, scheduler)
  const port = Number(address.split(':').at(-1))
  const strangers = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(64, 0xff),
    Buffer.concat([helloBytes, wireBytes('text'), wireBytes([1, 2])]),
    Buffer.concat([helloBytes, wireBytes({ no: 'op' })]),
    Buffer.concat([helloBytes, wireBytes({ op: 'get_data', keys: 5 })]),
    Buffer.concat([helloBytes, wireBytes({ op: 'get_data', keys: ['x'] })]),
    Buffer.concat([helloBytes, wireBytes({ op: '__proto__' })]),
  ]
  for (const bytes of strangers) {
    await new Promise<void>(resolve => {
      const socket = net.connect(port, '127.0.0.1', () => socket.end(bytes))
      socket.on('error', () => {}).on('close', () => resolve())
      socket.resume()
    })
  }
  const pool = new RpcPool()
  t.teardown(() => pool.close())
  t.strictSame(await pool.call(address, 'keys'), [])
})
