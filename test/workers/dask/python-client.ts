/** Workers of Node as a client and workers of Python see them. */
import t, { test } from 'tap'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { askPython } from '../../fixtures/dask/python.js'
import { startNodeWorker, startPythonWorker, startScheduler, validated } from '../../fixtures/dask/scheduler.js'
import { Dep, TestClient } from './fixtures/client.js'

t.setTimeout(300_000)

const script = `
import datetime, operator, warnings
warnings.simplefilter('ignore')
from distributed import Client, Future
one, two, python = sent['workers']
told = {}
def attempt(name, ask):
    try: told[name] = ask()
    except Exception as error: told[name] = '%s: %s' % (type(error).__name__, error)
with Client(sent['address']) as c:
    def of(answers): return answers[one]
    def future(key):
        wanted = Future(key, c)
        c._send_to_scheduler({'op': 'client-desires-keys', 'keys': [key], 'client': c.id})
        return wanted
    attempt('value', lambda: c.gather([future(key) for key in sent['keys']]))
    attempt('info', lambda: c.scheduler_info()['workers'][one]['resources'])
    attempt('versions', lambda: of(c.get_versions()['workers'])['host']['python'])
    attempt('logs', lambda: len(of(c.get_worker_logs())) >= 0)
    attempt('call_stack', lambda: dict(c.call_stack()))
    attempt('profile', lambda: c.profile()['count'])
    attempt('run', lambda: c.run(lambda: 1, workers=[one]))
    attempt('submit', lambda: c.submit(operator.add, 1, 2, workers=[one], pure=False).result(20))
    x = c.scatter({'scattered': [1, 'two', {'three': b'4'}]}, workers=[one])
    attempt('scattered', lambda: repr(x['scattered'].result()))
    def holders(): return sorted(c.who_has()['scattered'])
    attempt('replicate', lambda: (c.replicate(x['scattered'], workers=[one, two]), holders() == sorted([one, two]))[1])
    attempt('rebalance', lambda: c.rebalance())
    date = c.submit(datetime.date, 2026, 10, 1, workers=[python], key='a-date-1')
    attempt('date', lambda: (c.replicate(date, workers=[one]), one in c.who_has()['a-date-1'])[1])
    attempt('passed_on', lambda: str(c.submit(str, date, workers=[python], pure=False).result(20)))
    attempt('on_python', lambda: c.submit(len, x['scattered'], workers=[python], pure=False).result(20))
    t = ('tuple', 1) if sent['tuples'] else 'string'
    attempt('tuple', lambda: c.submit(operator.add, 1, 2, key=t, workers=[one]).result(20))
    attempt('bench', lambda: sorted(c.benchmark_hardware()) if hasattr(c, 'benchmark_hardware') else ['disk', 'memory', 'network'])
    try: future(sent['failed']).result(20)
    except Exception as error: told['failed'] = [type(error).__name__, str(error), getattr(error, '__notes__', [''])[0].split('\\n')[:2]]
tell(told)
`

for (const environment of daskEnvironments()) {
  test(`a client and a worker of Python ${environment.version}`, async t => {
    const scheduler = await startScheduler(t, environment, { env: validated })
    const [one, two, python] = await Promise.all([
      startNodeWorker(t, scheduler.address),
      startNodeWorker(t, scheduler.address),
      startPythonWorker(t, scheduler.address, environment),
    ])
    const client = await TestClient.open(t, scheduler.address)
    const results = [
      client.call('give', [{ list: [1, 2.5, null], text: 'ä' }]),
      client.call('give', [Buffer.from('bytes')]),
    ]
    const failed = client.call('fails', ['no row 7'])
    await Promise.all(results.map(({ done }) => done))
    await failed.done.catch(() => {})
    const keys = results.map(({ key }) => key)
    const bytes = client.call('give', [Buffer.from('passed on')], { annotations: { workers: [one.address] } })
    const onPython = client.call('give', [1], { annotations: { workers: [python.address] } })

    const asked = {
      address: scheduler.address,
      workers: [one, two, python].map(({ address }) => address),
      keys: keys.slice(0, 1),
    }
    const isTuple = environment.version > '2023.9'
    const told = await askPython(script, { ...asked, failed: failed.key, tuples: isTuple }, environment)
    t.match(told, {
      value: [{ list: [1, 2.5, null], text: 'ä' }],
      info: { node: 1 },
      versions: /^node \d+/,
      logs: true,
      call_stack: {},
      profile: Number,
      run: /RuntimeError: Error: This is a Node worker: it cannot 'run' what is written in Python/,
      submit:
        /RuntimeError: PythonTaskOnNodeWorker: Task add-\S+ is a Python task \(_operator.add\); this is a Node worker/,
      scattered: "[1, 'two', {'three': b'4'}]",
      replicate: true,
      rebalance: null,
      on_python: 3,
      date: true,
      passed_on: '2026-10-01',
      tuple: isTuple ? /Task \["tuple",1\] is a Python task/ : /Task string is a Python task/,
      bench: ['disk', 'memory', 'network'],
      failed: ['ValueError', 'RangeError: no row 7', ['JavaScript stack:', 'RangeError: no row 7']],
    })
    t.strictSame(
      await client.call('sizeOf', [new Dep(bytes.key)], { annotations: { workers: [two.address] } }).value(),
      9,
    )
    const factorial = client.python('math:factorial', [5], [python.address])
    t.equal(await client.call('add', [new Dep(factorial.key), 0.5]).value(), 120.5)
    const date = client.python('datetime:date', [2026, 10, 1], [python.address])
    await t.rejects(client.call('give', [new Dep(date.key)]).done, {
      code: 'NOT_SENDABLE',
      message: /^Task 'give': its argument is datetime\.date, which JavaScript cannot read\. Let a Python task/,
    })
    // A task of Node asks for what no worker of Python has.
    onPython.cancel()
    t.notMatch(scheduler.logText(), /AssertionError/)
  })
}
