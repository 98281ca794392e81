import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { type Test, test } from 'tap'
import { Clock } from '../../lib/threads/clock.js'
import { asList, type Kin, look, type Notice } from '../../lib/threads/protocol.js'
import { form } from '../../lib/threads/results.js'
import { Slots } from '../../lib/threads/slots.js'
import { fromWire, toWire } from '../../lib/values/wire.js'
import { postBy } from '../../workers/context.js'
import { Runner } from '../../workers/runner.js'

let codes = 0

/** A runner in this thread, and what it says to the pool. */
function bench(t: Test) {
  const { port1, port2 } = new MessageChannel()
  t.teardown(() => port1.close())
  postBy(port2)
  const slots = new Slots(new SharedArrayBuffer(Slots.bytes))
  const runner = new Runner(slots, port2, new Clock())
  let n = 0
  const kinOf = (source: string, captures?: unknown): Kin => {
    const code = ++codes
    const url = `data:text/javascript,${encodeURIComponent(source)}`
    const newCode = { key: String(code), taskName: 'a', url, captures: captures && toWire(captures) }
    const own = { flowRunId: 'flow-1', id: 'run-', name: 'a-', isNumbered: true, tags: [], attempt: 1 }
    return { ...own, taskName: 'a', code, newCode, arity: 1, tells: false }
  }
  const send = (kin: Kin, ...args: unknown[]): number[] => {
    const numbers = args.map(() => ++n)
    for (const n of numbers) slots.offer(n, 0, n, n)
    runner.receive([numbers[0]!, args.length, 0, [kin], args])
    return numbers
  }
  const said = (): Notice[] => {
    const all: Notice[] = []
    for (let entry = receiveMessageOnPort(port1); entry; entry = receiveMessageOnPort(port1)) all.push(entry.message)
    return all
  }
  const ended = async (n: number): Promise<void> => {
    while (!slots.hasEnded(n)) await new Promise(resolve => setImmediate(resolve))
  }
  return { slots, kinOf, send, said, ended }
}

test('calls that wait for nothing follow each other at once, once the function is there', async t => {
  const { slots, kinOf, send, ended } = bench(t)
  const kin = kinOf('export default ({ k }) => x => x + k', { k: 10 })
  const [first, second] = send(kin, 1, 2)
  t.notOk(slots.hasEnded(first!), 'the module is loaded first')
  await ended(second!)
  t.strictSame([slots.results.of(first!), slots.results.of(second!)], [11, 12])
  const [third] = send({ ...kin, newCode: undefined }, 3)
  t.ok(slots.hasEnded(third!))
  t.equal(slots.results.of(third!), 13)
})

test('a call that was taken back, or stopped before it began, does not begin', async t => {
  const { slots, kinOf, send, ended } = bench(t)
  const kin = kinOf('export default () => { let count = 0; return () => ++count }')
  const [first, back, stopped, last] = send(kin, 0, 0, 0, 0)
  t.ok(slots.takeBack(back!))
  slots.stop(stopped!)
  await ended(last!)
  t.strictSame([slots.results.of(first!), slots.results.of(last!)], [1, 2])
  t.ok(slots.isTakenBack(back!))
  t.equal(slots.results.formOf(stopped!), form.stopped)
})

test('the pool is told when it has asked, and not otherwise', async t => {
  const { slots, kinOf, send, said, ended } = bench(t)
  const kin = kinOf('export default () => x => x')
  await ended(send(kin, 1)[0]!)
  t.strictSame(said(), [])
  slots.want()
  send({ ...kin, newCode: undefined }, 1, 2, 3)
  t.strictSame(said(), [look])
  slots.want()
  send({ ...kin, newCode: undefined, tells: true }, 1)
  t.strictSame(said(), [look], 'as it begins')
})

test('what is not small is posted, arguments that are not plain come as a list', async t => {
  const { slots, kinOf, send, said, ended } = bench(t)
  const kin = { ...kinOf('export default () => (...all) => all'), arity: asList }
  const args = [new Set([1]), 'x'.repeat(300)]
  const [n] = send(kin, toWire(args))
  await ended(n!)
  t.equal(slots.results.formOf(n!), form.posted)
  const [notice] = said() as unknown as [{ n: number; reply: { type: string; value: unknown } }]
  t.equal(notice.n, n)
  t.strictSame([notice.reply.type, fromWire(notice.reply.value)], ['returned', args])
  const [slight] = send({ ...kin, newCode: undefined }, toWire([{ a: [1, null] }, 'é']))
  t.strictSame(slots.results.of(slight!), [{ a: [1, null] }, 'é'])
})

test('whatever happens, there is a reply', async t => {
  const { kinOf, send, said, ended } = bench(t)
  const threw = async (code: string) => {
    const [n] = send(kinOf(code), 0)
    await ended(n!)
    const [notice] = said() as unknown as [{ reply: { type: string; value: unknown } }]
    t.equal(notice.reply.type, 'threw')
    return fromWire(notice.reply.value)
  }
  t.match(await threw('export default () => () => { throw new TypeError("a") }'), { name: 'TypeError', message: 'a' })
  t.match(await threw('export default () => async () => { throw 5 }'), 5)
  t.match(await threw('throw new Error("top")'), { message: 'top' })
  t.match(await threw('export default () => 5'), { code: 'BUILD' })
  t.match(await threw('export const other = 1'), { code: 'BUILD', message: /no function 'default'/ })
  t.match(await threw('export default () => { throw new Error("captures") }'), { message: 'captures' })
  t.match(await threw('export default () => () => Symbol("s")'), {
    code: 'NOT_SENDABLE',
    message: /^Task 'a': the result is the symbol/,
  })
  t.match(await threw('export default () => () => ({ get then() { throw new Error("then") } })'), { message: 'then' })
})

test('the event loop has its turn while calls follow each other', async t => {
  const { kinOf, send, ended } = bench(t)
  const spin = 'const end = performance.now() + 3; while (performance.now() < end);'
  const kin = kinOf(
    `export default () => { let turns = 0; setImmediate(() => turns++); return () => { ${spin} return turns } }`,
  )
  const numbers = send(kin, ...Array(10).fill(0))
  let turns = 0
  const count = () => {
    turns++
    if (turns < 1000) setImmediate(count)
  }
  setImmediate(count)
  await ended(numbers.at(-1)!)
  t.ok(turns >= 3, `${turns} turns`)
})
