import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { test } from 'tap'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { temporaryFolder } from '../../fixtures/dask/process.js'
import { startNodeWorker, startScheduler, validated } from '../../fixtures/dask/scheduler.js'
import { Dep, TestClient } from './fixtures/client.js'

t.setTimeout(180_000)

const linesIn = (file: string) => readFileSync(file, 'utf8').trim().split('\n')

for (const environment of daskEnvironments()) {
  test(`workers of a ${environment.version} scheduler that checks itself`, async t => {
    const scheduler = await startScheduler(t, environment, { env: validated })
    const [one, two] = await Promise.all([
      startNodeWorker(t, scheduler.address, { args: ['--name', '0', '--nthreads', '1', '--resources', 'GPU=1'] }),
      startNodeWorker(t, scheduler.address, { args: ['--name', 'two', '--nthreads', '1'] }),
    ])
    const client = await TestClient.open(t, scheduler.address)
    const on = ({ address }: { readonly address: string }) => ({ annotations: { workers: [address] } })

    t.test('a small result comes with the message that it is there, and is kept too', async t => {
      const three = client.call('add', [1, 2])
      const { result, typeName, nbytes } = await three.done
      t.ok(result)
      t.equal(typeName, 'int')
      t.ok((nbytes ?? 0) > 0)
      t.equal(await three.value(), 3)
      const large = client.call('bytes', [5000])
      t.strictSame([(await large.done).result, (await large.done).nbytes], [undefined, 5000])
      t.equal(((await large.value()) as Buffer).length, 5000)
    })

    t.test('values of all kinds come back as they were', async t => {
      const value = {
        map: new Map([[1n, new Date(5)]]),
        text: 'ä',
        nothing: undefined,
        bytes: Buffer.from('x'),
        list: [-0],
      }
      t.strictSame(await client.call('give', [value]).value(), value)
    })

    t.test('a result goes to a task on another worker, and from there to the next', async t => {
      const bytes = client.call('bytes', [2_000_000], on(one))
      const there = client.call('give', [new Dep(bytes.key)], on(two))
      const back = client.call('sizeOf', [new Dep(there.key)], on(one))
      t.equal(await back.value(), 2_000_000)
      const both = client.call('add', [
        new Dep(client.call('give', ['a'], on(one)).key),
        new Dep(client.call('give', ['b'], on(two)).key),
      ])
      t.equal(await both.value(), 'ab')
    })

    t.test('a chain of fifty', async t => {
      let last = client.call('add', [0, 1])
      for (let n = 0; n < 50; n++) last = client.call('add', [new Dep(last.key), 1])
      t.equal(await last.value(), 51)
    })

    t.test('what is thrown arrives as it was, also by way of a task that needed it', async t => {
      const failed = client.call('fails', ['no row 7'])
      await t.rejects(failed.done, { name: 'RangeError', message: 'no row 7', code: 'E_TEST' })
      await t.rejects(client.call('give', [new Dep(failed.key)]).done, { message: 'no row 7' })
      await t.rejects(client.call('unsendable').done, { code: 'NOT_SENDABLE', path: 'the result.f' })
      await t.rejects(client.call('dies').done, { code: 'WORKER_LOST', message: /exited with code 7/ })
      t.equal(await client.call('add', [1, 1]).value(), 2, 'the worker goes on')
    })

    t.test('a task is tried again as often as it may', async t => {
      const failed = client.call('fails', ['again'], { annotations: { retries: 2 } })
      await t.rejects(failed.done, { message: 'again' })
    })

    t.test('what a call says is heard before its end', async t => {
      const speaks = client.call('speaks', [], { payload: { id: 'run-7', attempt: 3, tags: ['a'] } })
      t.strictSame(await speaks.value(), { taskRunId: 'run-7', attempt: 3, tags: ['a'] })
      t.strictSame(client.said(speaks.key), ['started', 'log', 'printed', 'progress'])
      const [, , level, message, fields] =
        client.events.find(event => event[0] === 'log' && event[1] === speaks.key) ?? []
      t.strictSame([level, message, fields], ['info', 'hello', '{"big":{"$mintaka":"bigint","value":"1"}}'])
      t.ok(await Promise.any([one.said(/^printed$/m), two.said(/^printed$/m)]), 'and on the worker')
    })

    t.test('a call that runs for a while says that it has begun', async t => {
      const before = Date.now()
      const sleeps = client.call('sleeps', [300, 1])
      const [, , at] = await client.heard(event => event[0] === 'started' && event[1] === sleeps.key)
      t.ok((at as number) >= before - 1000 && (at as number) <= Date.now() + 1000)
      await sleeps.done
    })

    t.test('a task that is cancelled stops, whatever its code does, and the next one runs', async t => {
      const spins = client.call('spins', [], on(one))
      const queued = client.call('add', [1, 2], on(one))
      await client.heard(event => event[0] === 'started' && event[1] === spins.key)
      queued.cancel()
      spins.cancel()
      await t.rejects(spins.done, { message: 'cancelled' })
      await client.heard(event => event[0] === 'stopped' && event[1] === spins.key)
      await client.heard(event => event[0] === 'stopped' && event[1] === queued.key)
      t.equal(await client.call('add', [1, 2], on(one)).value(), 3)
    })

    t.test('more urgent tasks come first, and no more run than there are threads', async t => {
      const file = join(temporaryFolder(t), 'marks')
      const first = client.call('marks', [file, 'first', 300], on(one))
      await client.heard(event => event[0] === 'started' && event[1] === first.key)
      const ranked = (name: string, priority: number) =>
        client.call('marks', [file, name, 0], { annotations: { workers: [one.address], priority } })
      await Promise.all([ranked('low', -10), ranked('middle', 0), ranked('high', 10)].map(({ done }) => done))
      await first.done
      t.strictSame(
        linesIn(file),
        ['first', 'high', 'middle', 'low'].flatMap(name => [`${name} begins`, `${name} ends`]),
      )
    })

    t.test('a task that needs a resource runs where it is', async t => {
      const pids = await Promise.all(
        Array.from({ length: 4 }, () => client.call('where', [20], { annotations: { resources: { GPU: 1 } } }).value()),
      )
      t.strictSame(new Set(pids), new Set([one.process.pid]))
      const named = client.call('where', [], { annotations: { workers: ['two'] } })
      t.equal(await named.value(), two.process.pid, 'workers have names')
    })

    t.test('code comes as a bundle, once to each worker, with what it captures', async t => {
      const bundle = client.bundle({
        hash: `hash-${environment.label}`,
        files: {
          'scale.mjs':
            "import { factor } from './factor.mjs'\nimport { readFileSync } from 'node:fs'\n" +
            "export default ({ offset }) => x => x * factor + offset + Number(readFileSync(new URL('files/one.txt', import.meta.url)))",
          'factor.mjs': 'export const factor = 10',
          'files/one.txt': Buffer.from('1'),
        },
        external: [],
      })
      const code = (captures: unknown) =>
        ({ type: 'bundle', key: bundle.key, hash: `hash-${environment.label}`, module: 'scale.mjs', captures }) as const
      const scaled = (x: number, offset: number, where: { readonly address: string }) =>
        client.call('scale', [x], { code: code({ offset }), deps: [bundle.key], ...on(where) }).value()
      t.strictSame(await Promise.all([scaled(1, 0, one), scaled(2, 100, one), scaled(3, 0, two)]), [11, 121, 31])
    })

    t.test('a package that is not installed is named, and so is the worker', async t => {
      const bundle = client.bundle({
        hash: `missing-${environment.label}`,
        files: { 'task.mjs': "import 'not-installed-here'\nexport default () => () => 1" },
        external: ['not-installed-here'],
      })
      const code = {
        type: 'bundle',
        key: bundle.key,
        hash: `missing-${environment.label}`,
        module: 'task.mjs',
        captures: undefined,
      } as const
      await t.rejects(client.call('resize', [], { code, deps: [bundle.key], ...on(two) }).done, {
        code: 'MISSING_ON_WORKER',
        message: /^Worker two \(node [\d.]+, \w+-\w+\) doesn't have 'not-installed-here', needed by task 'resize'/,
      })
    })

    t.test('data that many calls share is a key of its own', async t => {
      const list = client.data(Array.from({ length: 10_000 }, (_, n) => [n, new Date(n)]))
      const sizes = Array.from({ length: 4 }, () => client.call('sizeOf', [new Dep(list.key)], on(one)).value())
      t.strictSame(await Promise.all(sizes), [10_000, 10_000, 10_000, 10_000])
    })

    t.test('two hundred tasks', async t => {
      const all = Array.from({ length: 200 }, (_, n) => client.call('add', [n, n]))
      t.strictSame(
        await Promise.all(all.map(({ value }) => value())),
        Array.from({ length: 200 }, (_, n) => 2 * n),
      )
    })

    t.test('released values are forgotten', async t => {
      const kept = client.call('bytes', [3000], on(one))
      await kept.done
      kept.release()
      for (let keys: unknown; !Array.isArray(keys) || keys.includes(kept.key); ) {
        keys = await client.client.rpc.call(one.address, 'keys')
      }
      t.pass('gone')
    })

    await t.test('retired workers leave their values to others, and end', async t => {
      const value = client.call('give', [{ precious: 1 }], on(two))
      await value.done
      await client.client.rpc.call(scheduler.address, 'retire_workers', { workers: [two.address], close_workers: true })
      t.equal(await new Promise(resolve => two.process.once('exit', resolve)), 0)
      t.strictSame(await value.value(), { precious: 1 })
    })

    t.notMatch(scheduler.logText(), /AssertionError|Traceback/)
  })
}
