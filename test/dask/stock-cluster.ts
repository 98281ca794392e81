import tap, { test } from 'tap'
import { RpcPool } from '../../lib/dask/comm/rpc-pool.js'
import type { Serialized } from '../../lib/dask/protocol/message.js'
import { decodeValue } from '../../lib/dask/values/decode.js'
import { type Outcome, startAnsweringWorker } from '../fixtures/dask/answering-worker.js'
import { daskEnvironments } from '../fixtures/dask/environments.js'
import { startProcess } from '../fixtures/dask/process.js'
import { askPython } from '../fixtures/dask/python.js'
import { startScheduler, validated } from '../fixtures/dask/scheduler.js'

tap.setTimeout(240_000)

const large = Buffer.alloc(3_000_000, 7)
const outcomes: Readonly<Record<string, Outcome>> = {
  'none-1': { value: null },
  'int-1': { value: 7 },
  'dict-1': { value: { a: [1, 2.5, 'é'], b: Buffer.from('x') } },
  'bytes-1': { value: new Uint8Array([1, 2]) },
  'large-1': { value: large },
  'own-1': { value: new Map([[1, { date: new Date(5) }]]) },
  'failed-1': { thrown: Object.assign(new TypeError('of JavaScript'), { code: 'E_X' }) },
}

for (const environment of daskEnvironments()) {
  test(`a client and a scheduler of Dask ${environment.version} take what we send`, async t => {
    const scheduler = await startScheduler(t, environment, { env: validated })
    const address = await startAnsweringWorker(t, scheduler.address, outcomes)
    const script = `
from distributed import Client, wait
with Client(sent[0]) as client:
    futures = {key: client.submit(len, [], key=key, workers=[sent[1]], pure=False) for key in sent[2]}
    wait(list(futures.values()))
    told = {}
    for key, future in futures.items():
        try: value = future.result()
        except Exception as error: told[key] = ["failed", repr(error), error.js_stack.splitlines()[0]]
        else: told[key] = [future.type.__name__, repr(value) if len(repr(value)) < 100 else len(value), client.gather(future, direct=True) == value]
    told["who_has"] = [list(places) for places in client.who_has(list(futures.values())[:1]).values()]
    tell(told)
`
    const told = (await askPython(script, [scheduler.address, address, Object.keys(outcomes)], environment)) as Record<
      string,
      unknown[]
    >
    t.strictSame(told['none-1'], ['NoneType', 'None', true])
    t.strictSame(told['int-1'], ['int', '7', true])
    t.strictSame(told['dict-1'], ['dict', "{'a': [1, 2.5, 'é'], 'b': b'x'}", true])
    t.strictSame(told['bytes-1'], ['bytes', "b'\\x01\\x02'", true])
    t.strictSame(told['large-1'], ['bytes', 3_000_000, true])
    t.strictSame([told['own-1']?.[0], told['own-1']?.[2]], ['bytes', true])
    t.strictSame(told['failed-1'], ['failed', "TypeError('TypeError: of JavaScript')", 'TypeError: of JavaScript'])
    t.strictSame(told['who_has'], [[address]])
    t.notMatch(scheduler.logText(), /AssertionError|Traceback/)
  })

  test(`values pass through a scheduler of Dask ${environment.version} as they are`, async t => {
    const scheduler = await startScheduler(t, environment)
    const address = await startAnsweringWorker(t, scheduler.address, outcomes)
    const pool = new RpcPool({ timeoutMs: 30_000 })
    t.teardown(() => pool.close())
    const script = `
import sys

from distributed import Client, wait
client = Client(sys.argv[1])
futures = [client.submit(len, [], key=key, workers=[sys.argv[2]], pure=False) for key in sys.argv[3:]]
wait(futures)
print("ready", flush=True)
sys.stdin.read()
`
    const keys = Object.keys(outcomes).filter(key => key !== 'failed-1')
    const client = startProcess(t, environment.python, ['-c', script, scheduler.address, address, ...keys])
    await client.said(/ready/)
    const reply = (await pool.call(scheduler.address, 'gather', { keys })) as Record<string, unknown>
    t.equal(reply['status'], 'OK')
    const data = reply['data'] as Record<string, Serialized>
    for (const key of keys) {
      const outcome = outcomes[key]!
      t.strictSame(decodeValue(data[key]!), 'value' in outcome ? outcome.value : undefined, key)
    }
  })
}
