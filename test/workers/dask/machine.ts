import { test } from 'tap'
import {
  a,
  at,
  b,
  begun,
  compute,
  execute,
  fetch,
  finished,
  here,
  keep,
  machineOf,
  order,
  values,
} from './fixtures/machine.js'

test('a task without dependencies begins at once, and its result is kept and told', async t => {
  const machine = machineOf()
  t.strictSame(machine.handle(compute('x', { runId: 7 })), [execute('x', 1, { runId: 7 })])
  t.equal(machine.threadsTaken, 1)
  t.strictSame(machine.executing, [{ run: 1, key: 'x' }])
  t.strictSame(machine.handle({ type: 'executed', run: 1, value: 'value of x' }), [keep('x'), finished('x', 7)])
  t.equal(machine.threadsTaken, 0)
  t.strictSame(machine.counts, { memory: 1 })
})

test('a failure is told with the run that it belongs to, and nothing of the task is left', async t => {
  const machine = machineOf()
  machine.handle(compute('x', { runId: 3 }))
  t.strictSame(machine.handle({ type: 'failed', run: 1, failure: 'boom' }), [
    { type: 'task-erred', key: 'x', runId: 3, failure: 'boom' },
  ])
  t.strictSame(machine.counts, {})
  t.strictSame(machine.handle(compute('x', { runId: 4 })), [execute('x', 2, { runId: 4 })], 'and it may come again')
})

test('dependencies are fetched, and then the task begins', async t => {
  const machine = machineOf()
  const places = { p: [a], q: [a, b] }
  t.strictSame(machine.handle(compute('x', {}, places)), [fetch(a, 'p', 'q')])
  t.strictSame(machine.handle({ type: 'fetched', from: a, values: values('p', 'q') }), [
    keep('p'),
    keep('q'),
    { type: 'add-keys', keys: ['p', 'q'] },
    execute('x', 1, { dependencies: ['p', 'q'] }),
  ])
})

test('what is here already is not fetched', async t => {
  const machine = machineOf()
  machine.handle({ type: 'scattered', values: values('p') })
  t.strictSame(machine.handle(compute('x', {}, { p: [a, here], q: [b] })), [fetch(b, 'q')])
})

test('the result of a task here is given to the next one', async t => {
  const machine = machineOf({ nthreads: 2 })
  machine.handle(compute('x'), compute('y', {}, { x: [] }))
  t.equal(machine.task('y')?.type, 'waiting')
  t.strictSame(machine.handle({ type: 'executed', run: 1, value: 'value of x' }), [
    keep('x'),
    finished('x'),
    execute('y', 2, { dependencies: ['x'] }),
  ])
})

test('no more tasks begin than there are threads, the most urgent first, and equals in the order in which they came', async t => {
  const machine = machineOf()
  machine.handle(compute('first'))
  const waiting = [
    compute('low', { priority: [1, 0] }),
    compute('two', { priority: [0, 5] }),
    compute('three', { priority: [0, 5] }),
    compute('high', { priority: [-10, 9] }),
    compute('one', { priority: [0, 4, 9] }),
  ]
  t.strictSame(machine.handle(...waiting), [])
  const begins: string[] = []
  for (let run = 1; run <= 6; run++) begins.push(...begun(machine.handle({ type: 'executed', run, value: 'v' })))
  t.strictSame(begins, ['high', 'one', 'two', 'three', 'low'])
})

test('what takes no thread waits for none', async t => {
  const machine = machineOf()
  machine.handle(compute('long'))
  t.strictSame(begun(machine.handle(compute('code', { threads: 0, resources: { node: 1e-9 } }))), ['code'])
  t.equal(machine.threadsTaken, 1)
})

test('resources are taken while a task runs; one that lacks some lets others pass that take none of it', async t => {
  const machine = machineOf({ nthreads: 4, resources: { node: 1, GPU: 2 } })
  const gpu = (key: string, amount: number, priority: number) =>
    compute(key, { resources: { node: 1e-9, GPU: amount }, priority: [priority] })
  t.strictSame(
    begun(machine.handle(gpu('g1', 1, 0), gpu('g2', 2, 1), gpu('g3', 1, 2), compute('plain', { priority: [3] }))),
    ['g1', 'plain'],
  )
  t.equal(machine.resourcesTaken['GPU'], 1, 'the third would fit, but the second would wait for ever')
  t.strictSame(begun(machine.handle({ type: 'executed', run: 1, value: 'v' })), ['g2'])
  t.strictSame(begun(machine.handle({ type: 'executed', run: 3, value: 'v' })), ['g3'])
  machine.handle({ type: 'executed', run: 4, value: 'v' })
  t.strictSame(machine.resourcesTaken, { node: 0, GPU: 0 })
})

test('a trace of a resource limits nothing, and tenths add up', async t => {
  const machine = machineOf({ nthreads: 100, resources: { node: 1, tenths: 1 } })
  const tenths = Array.from({ length: 11 }, (_, n) => compute(`t${n}`, { resources: { node: 1e-9, tenths: 0.1 } }))
  t.equal(begun(machine.handle(...tenths)).length, 10)
})

test('a task that takes more than there is gets all there is', async t => {
  const machine = machineOf({ nthreads: 2, resources: { GPU: 1 } })
  const both = [compute('x', { resources: { GPU: 2, other: 5 } }), compute('y', { resources: { GPU: 1 } })]
  t.strictSame(begun(machine.handle(...both)), ['x'])
})

test('a freed task that waits is forgotten, and what only it needed is not fetched', async t => {
  const machine = machineOf()
  machine.handle(
    { type: 'may-start', mayStart: false },
    compute('x', {}, { p: [a] }),
    compute('y', {}, { p: [a], q: [a] }),
  )
  machine.handle({ type: 'free-keys', keys: ['y', 'unknown'] })
  t.strictSame(machine.counts, { waiting: 1, fetch: 1 })
  t.strictSame(machine.handle({ type: 'may-start', mayStart: true }), [fetch(a, 'p')])
  t.strictSame(machine.handle({ type: 'free-keys', keys: ['x'] }), [])
  t.strictSame(machine.handle({ type: 'fetched', from: a, values: values('p') }), [], 'what comes too late is not kept')
  t.strictSame(machine.counts, {})
})

test('a freed task that runs is stopped, and keeps its thread until it has', async t => {
  const machine = machineOf()
  machine.handle(compute('x'), compute('y'))
  t.strictSame(machine.handle({ type: 'free-keys', keys: ['x'] }), [{ type: 'stop', run: 1 }])
  t.strictSame(machine.counts, { ready: 1 })
  t.strictSame(machine.executing, [])
  t.strictSame(machine.handle({ type: 'stopped', run: 1 }), [execute('y', 2)])
})

test('what is ordered and freed at once never begins', async t => {
  t.strictSame(machineOf().handle(compute('x'), { type: 'free-keys', keys: ['x'] }), [])
})

test('whatever comes of a run that nobody wants is not heard', async t => {
  for (const end of [
    { type: 'executed', run: 1, value: 'late' },
    { type: 'failed', run: 1, failure: 'late' },
  ] as const) {
    const machine = machineOf()
    machine.handle(compute('x'))
    machine.handle({ type: 'free-keys', keys: ['x'] })
    t.strictSame(machine.handle(end), [], end.type)
    t.strictSame(machine.counts, {})
  }
})

test('a task that is freed and ordered again while it runs begins anew when the first run has ended', async t => {
  const machine = machineOf({ nthreads: 2 })
  machine.handle(compute('x', { runId: 1 }))
  t.strictSame(machine.handle({ type: 'free-keys', keys: ['x'] }, compute('x', { runId: 2, spec: 'new' })), [
    { type: 'stop', run: 1 },
  ])
  t.equal(machine.task('x')?.type, 'waiting')
  t.strictSame(machine.handle({ type: 'executed', run: 1, value: 'old' }), [execute('x', 2, { runId: 2, spec: 'new' })])
  t.strictSame(machine.handle({ type: 'executed', run: 2, value: 'value of x' }), [keep('x'), finished('x', 2)])
})

test('a task that is ordered twice runs once, for the later order', async t => {
  const machine = machineOf()
  machine.handle(compute('busy'), compute('x', { runId: 1 }))
  t.strictSame(machine.handle(compute('x', { runId: 2, priority: [5] })), [])
  machine.handle({ type: 'executed', run: 1, value: 'v' })
  t.strictSame(machine.handle(compute('x', { runId: 3 })), [])
  t.strictSame(machine.handle({ type: 'executed', run: 2, value: 'value of x' }), [keep('x'), finished('x', 3)])
  t.strictSame(machine.handle(compute('x', { runId: 4 })), [finished('x', 4)], 'and is told once more')
})

test('a task that could not be begun goes back to the scheduler', async t => {
  const machine = machineOf()
  machine.handle(compute('x'))
  t.strictSame(machine.handle({ type: 'stopped', run: 1 }), [{ type: 'reschedule', key: 'x' }])
  t.strictSame(machine.counts, {})
})

test('freed data is dropped', async t => {
  const machine = machineOf()
  machine.handle({ type: 'scattered', values: values('p') })
  t.strictSame(machine.handle({ type: 'free-keys', keys: ['p'] }), [
    { type: 'drop', key: 'p' },
    { type: 'release-worker-data', key: 'p' },
  ])
})

test('data and the task that needs it are freed together, and nothing begins in between', async t => {
  const machine = machineOf()
  machine.handle({ type: 'scattered', values: values('p') }, compute('busy'), compute('x', {}, { p: [here] }))
  t.equal(machine.task('x')?.type, 'ready')
  const instructions = machine.handle(
    { type: 'executed', run: 1, value: 'value of busy' },
    { type: 'free-keys', keys: ['p'] },
    { type: 'free-keys', keys: ['x'] },
  )
  t.strictSame(begun(instructions), [])
  t.strictSame(machine.counts, { memory: 1 })
})

test('a task whose data is taken away waits for it again', async t => {
  const machine = machineOf()
  machine.handle({ type: 'scattered', values: values('p') }, compute('busy'), compute('x', {}, { p: [here] }))
  machine.handle({ type: 'free-keys', keys: ['p'] })
  t.strictSame([machine.task('x')?.type, machine.task('p')?.type], ['waiting', 'missing'])
  t.strictSame(machine.handle({ type: 'find-missing' }), [{ type: 'request-refresh-who-has', keys: ['p'] }])
  t.strictSame(machine.handle({ type: 'refresh-who-has', whoHas: new Map([['p', [b]]]) }), [fetch(b, 'p')])
  machine.handle({ type: 'fetched', from: b, values: values('p') })
  t.strictSame(begun(machine.handle({ type: 'executed', run: 1, value: 'v' })), ['x'])
})

test('a copy that nobody needs is removed, one that a task here needs is not', async t => {
  const machine = machineOf()
  machine.handle({ type: 'scattered', values: values('p', 'q', 'r') })
  machine.handle(compute('busy', {}, { r: [here] }), compute('x', {}, { p: [here] }))
  t.strictSame(machine.handle({ type: 'remove-replicas', keys: ['p', 'q', 'r', 'busy', 'unknown'] }), [
    { type: 'drop', key: 'q' },
    { type: 'release-worker-data', key: 'q' },
    { type: 'drop', key: 'r' },
    { type: 'release-worker-data', key: 'r' },
    { type: 'add-keys', keys: ['p'] },
  ])
})

test('copies are acquired, below tasks of ordinary priority, and stay wanted without a task', async t => {
  const machine = machineOf({ transfers: 1 })
  machine.handle({ type: 'may-start', mayStart: false })
  machine.handle(
    { type: 'acquire-replicas', whoHas: at({ r: [b], s: [] }) },
    compute('x', { priority: [0, 3] }, { p: [a] }),
  )
  t.strictSame(machine.counts, { waiting: 1, fetch: 2 }, 'what nobody has is not waited for')
  t.strictSame(machine.handle({ type: 'may-start', mayStart: true }), [fetch(a, 'p')])
  t.strictSame(machine.handle({ type: 'fetched', from: a, values: values('p') }).at(-1), fetch(b, 'r'))
  t.strictSame(machine.handle({ type: 'fetched', from: b, values: values('r') }), [
    keep('r'),
    { type: 'add-keys', keys: ['r'] },
  ])
  t.strictSame(machine.handle({ type: 'acquire-replicas', whoHas: at({ r: [b] }) }), [])
})

test('a task that waits is given up to a thief, one that runs is not', async t => {
  const machine = machineOf()
  machine.handle(
    compute('runs'),
    compute('ready'),
    compute('constrained', { resources: { node: 1e-9 } }),
    compute('waits', {}, { p: [a] }),
  )
  machine.handle({ type: 'scattered', values: values('data') })
  const states = ['runs', 'ready', 'constrained', 'waits', 'data', 'p', 'unknown'].map(key => {
    const [response, ...more] = machine.handle({ type: 'steal-request', key, stimulusId: `steal-${key}` })
    t.strictSame(more, [])
    return response?.type === 'steal-response' && response.stimulusId === `steal-${key}` && [key, response.state]
  })
  t.strictSame(states, [
    ['runs', 'executing'],
    ['ready', 'ready'],
    ['constrained', 'constrained'],
    ['waits', 'waiting'],
    ['data', 'memory'],
    ['p', null],
    ['unknown', null],
  ])
  t.strictSame(machine.counts, { executing: 1, memory: 1 })
})

test('a task is cancelled unless it runs', async t => {
  const machine = machineOf()
  machine.handle(compute('runs'), compute('ready'))
  for (const key of ['runs', 'ready', 'unknown']) t.strictSame(machine.handle({ type: 'cancel-compute', key }), [])
  t.strictSame(machine.counts, { executing: 1 })
})

test('a peer that is busy is asked again later, and others at once', async t => {
  const machine = machineOf()
  machine.handle(compute('x', {}, { p: [a, b], q: [a] }))
  t.strictSame(machine.handle({ type: 'busy', from: a }), [
    { type: 'retry-peer-later', address: a },
    { type: 'request-refresh-who-has', keys: ['q'] },
    fetch(b, 'p'),
  ])
  t.strictSame(machine.handle({ type: 'retry-peer', address: a }), [fetch(a, 'q')])
  t.strictSame(
    machine.handle({ type: 'busy', from: a }),
    [{ type: 'retry-peer-later', address: a }],
    'the scheduler is asked once',
  )
})

test('what a peer does not have is looked for elsewhere', async t => {
  const machine = machineOf()
  machine.handle(compute('x', {}, { p: [a, b], q: [a] }))
  t.strictSame(machine.handle({ type: 'fetched', from: a, values: values() }), [
    { type: 'request-refresh-who-has', keys: ['q'] },
    fetch(b, 'p'),
  ])
  t.ok(machine.hasMissing)
  t.strictSame(machine.handle({ type: 'refresh-who-has', whoHas: new Map([['q', []]]) }), [])
  t.strictSame(machine.handle({ type: 'find-missing' }), [{ type: 'request-refresh-who-has', keys: ['q'] }])
  t.strictSame(
    machine.handle({
      type: 'refresh-who-has',
      whoHas: new Map([
        ['q', [a]],
        ['other', [a]],
      ]),
    }),
    [fetch(a, 'q')],
  )
})

test('a peer that does not answer is believed to have nothing', async t => {
  const machine = machineOf({ messageBytes: 10 })
  machine.handle(compute('x', {}, { p: [a, b], q: [a] }))
  t.strictSame(machine.handle({ type: 'unreachable', from: a }), [
    { type: 'retry-peer-later', address: a },
    { type: 'request-refresh-who-has', keys: ['q'] },
    fetch(b, 'p'),
  ])
  machine.handle({ type: 'refresh-who-has', whoHas: new Map([['q', [a]]]) })
  t.equal(machine.task('q')?.type, 'fetch', 'the scheduler does not know yet, and the peer is left alone for a while')
  t.strictSame(machine.handle({ type: 'remove-worker', address: a }), [])
  t.equal(machine.task('q')?.type, 'missing')
})

test('a message brings as much as it may, the most urgent first, and one value at least', async t => {
  const machine = machineOf({ messageBytes: 25 })
  const large = {
    type: 'compute-task',
    key: 'z',
    order: order({ dependencies: ['large'] }),
    whoHas: at({ large: [b] }, 500),
  } as const
  const asked = machine.handle(
    compute('x', { priority: [2] }, { p: [a], q: [a] }),
    compute('y', { priority: [1] }, { r: [a] }),
    large,
  )
  t.strictSame(asked, [fetch(b, 'large'), fetch(a, 'r', 'p')])
  t.strictSame(machine.incoming, { transfers: 2, nbytes: 520 })
  t.strictSame(machine.handle({ type: 'fetched', from: a, values: values('r', 'p') }).at(-1), fetch(a, 'q'))
})

test('no more comes at once than there is room for', async t => {
  const few = machineOf({ transfers: 1 })
  t.strictSame(few.handle(compute('x', {}, { p: [a], q: [b] })), [fetch(a, 'p')])
  const little = machineOf({ incomingBytes: 10 })
  t.strictSame(little.handle(compute('x', {}, { p: [a], q: [b] })), [fetch(a, 'p')])
  t.strictSame(little.handle({ type: 'fetched', from: a, values: values('p') }).at(-1), fetch(b, 'q'))
})

test('a value that was given up and is wanted again is taken from the transfer that brings it', async t => {
  const machine = machineOf()
  machine.handle(compute('x', {}, { p: [a] }))
  machine.handle({ type: 'free-keys', keys: ['x'] })
  t.strictSame(machine.handle(compute('y', {}, { p: [a] })), [], 'the peer is asked one thing at a time')
  t.strictSame(begun(machine.handle({ type: 'fetched', from: a, values: values('p') })), ['y'])
})

test('a value that is on its way is computed here if the scheduler says so', async t => {
  const machine = machineOf()
  machine.handle(compute('x', {}, { p: [a] }))
  t.strictSame(begun(machine.handle(compute('p', { runId: 5 }))), ['p'])
  t.strictSame(machine.handle({ type: 'fetched', from: a, values: values('p') }), [])
  t.strictSame(machine.handle({ type: 'executed', run: 1, value: 'value of p' }), [
    keep('p'),
    finished('p', 5),
    execute('x', 2, { dependencies: ['p'] }),
  ])
})

test('a scheduler that believes a value to be here is told that it is not', async t => {
  const machine = machineOf()
  t.strictSame(machine.handle(compute('x', {}, { p: [here] })), [{ type: 'release-worker-data', key: 'p' }])
  t.equal(machine.task('p')?.type, 'missing')
})

test('scattered values are kept and not told; a task of that name is finished with it', async t => {
  const machine = machineOf({ nthreads: 1 })
  t.strictSame(machine.handle({ type: 'scattered', values: values('p') }), [keep('p')])
  t.strictSame(machine.handle({ type: 'scattered', values: new Map([['p', 'another']]) }), [])
  machine.handle(compute('runs', { runId: 8 }))
  t.strictSame(machine.handle({ type: 'scattered', values: values('runs') }), [
    { type: 'stop', run: 1 },
    keep('runs'),
    finished('runs', 8),
  ])
  t.strictSame(machine.handle({ type: 'stopped', run: 1 }), [])
})

test('nothing begins while the worker rests, and what runs goes on', async t => {
  const machine = machineOf({ nthreads: 2 })
  machine.handle(compute('x'))
  t.strictSame(machine.handle({ type: 'may-start', mayStart: false }, compute('y'), compute('z', {}, { p: [a] })), [])
  t.strictSame(machine.handle({ type: 'executed', run: 1, value: 'value of x' }), [keep('x'), finished('x')])
  t.strictSame(machine.handle({ type: 'may-start', mayStart: true }), [execute('y', 2), fetch(a, 'p')])
})

test('at the end what runs is stopped, and nothing begins any more', async t => {
  const machine = machineOf()
  machine.handle(compute('x'), compute('y'))
  t.strictSame(machine.handle({ type: 'close' }), [{ type: 'stop', run: 1 }])
  t.strictSame(machine.handle({ type: 'stopped', run: 1 }), [{ type: 'reschedule', key: 'x' }])
})

test('the story of a key tells what happened to it and why', async t => {
  const machine = machineOf()
  machine.handle(compute('x'), compute('y'))
  machine.handle({ type: 'executed', run: 1, value: 'v' })
  t.strictSame(machine.story(['x']), [
    { key: 'x', from: 'forgotten', to: 'waiting', because: 'compute-task' },
    { key: 'x', from: 'waiting', to: 'ready', because: 'compute-task' },
    { key: 'x', from: 'ready', to: 'executing', because: 'compute-task' },
    { key: 'x', from: 'executing', to: 'memory', because: 'executed' },
  ])
  for (let n = 0; n < 1000; n++) machine.handle(compute(`n${n}`))
  t.equal(machine.story().length, 1000)
  t.throws(() => machine.handle({ type: 'stopped', run: 1 }), /There is no run 1/)
})
