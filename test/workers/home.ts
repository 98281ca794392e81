import { Worker } from 'node:worker_threads'
import { test } from 'tap'
import { welcome } from '../../lib/threads/home.js'
import { SharedValues } from '../../lib/threads/shared-values.js'
import { toWire } from '../../lib/values/wire.js'

/** A thread that decodes what it is sent, as the threads of a pool do, and says how often it opened its home. */
const source = `
import { parentPort } from 'node:worker_threads'
import { homeBy } from '${new URL('../../dist/workers/home.js', import.meta.url)}'
import { sharedFor } from '${new URL('../../dist/workers/shared-values.js', import.meta.url)}'
import { fromWire } from '${new URL('../../dist/lib/values/wire.js', import.meta.url)}'
homeBy(port => parentPort.postMessage({ port }, [port]))
parentPort.on('message', async wire => {
  const shared = sharedFor(wire)
  const asked = shared instanceof Promise
  try {
    parentPort.postMessage({ value: fromWire(wire, await shared), asked })
  } catch (error) {
    parentPort.postMessage({ error: error.message, asked })
  }
})
`

interface Answer {
  readonly value?: unknown
  readonly error?: string
  readonly asked: boolean
}

function start(values: SharedValues): { worker: Worker; opened: () => number; ask(wire: unknown): Promise<Answer> } {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
  let opened = 0
  worker.on('message', message => {
    if (!message.port) return
    opened++
    welcome(message.port, values)
  })
  const ask = (wire: unknown) =>
    new Promise<Answer>((resolve, reject) => {
      worker.once('error', reject)
      const answered = (message: Answer | { port: unknown }): void => {
        if ('port' in message) return
        worker.off('message', answered)
        worker.off('error', reject)
        resolve(message)
      }
      worker.on('message', answered)
      worker.postMessage(wire)
    })
  return { worker, opened: () => opened, ask }
}

test('a thread asks for a shared value once, keeps it until it is told to forget it, and asks for nothing else', async t => {
  const values = new SharedValues()
  const { worker, opened, ask } = start(values)
  t.teardown(() => worker.terminate())
  const table = Array.from({ length: 20_000 }, (_, index) => index)
  const bytes = new Float64Array(20_000).fill(2)
  const uses = [values.useOf([table, bytes]), values.useOf([table, bytes])] as const
  const wire = (): unknown => toWire([{ table, bytes }], 'value', { refer: uses[1].refer })

  t.strictSame(await ask(toWire([1])), { value: [1], asked: false })
  t.equal(opened(), 0, 'a thread that needs no answer opens nothing')
  t.strictSame(await ask(wire()), { value: [{ table, bytes }], asked: true })
  t.strictSame(await ask(wire()), { value: [{ table, bytes }], asked: false })
  t.equal(opened(), 1)

  const last = wire()
  for (const use of uses) use.end()
  let answer = await ask(last)
  // Told by another port than the call: it may come a little later.
  while (!answer.asked) answer = await ask(last)
  t.match(answer, { error: /asked for the shared value \d+ after its end/ })

  const again = values.useOf([table])
  const { value, asked } = await ask(toWire([table], 'value', { refer: again.refer }))
  t.strictSame([value, asked], [[table], true])
})

test('a thread that ends is no longer told anything, and what it opened keeps no process alive', async t => {
  const listeners = new Set<(number: number) => void>()
  class Watched extends SharedValues {
    override onForgotten(listener: (number: number) => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
  const values = new Watched()
  const { worker, ask } = start(values)
  const table = 'x'.repeat(100_000).split('')
  values.useOf([table])
  const use = values.useOf([table])
  t.match(await ask(toWire([table], 'value', { refer: use.refer })), { asked: true })
  t.equal(listeners.size, 1)
  await worker.terminate()
  while (listeners.size > 0) await new Promise(resolve => setImmediate(resolve))
  t.pass()
})
