import { test } from 'tap'
import { Acknowledgements } from '../../lib/engine/acknowledged.js'
import { atRest, deferred } from './fixtures/engine.js'

/** What waits, and writes down what it is told. */
function waiter(name: string, told: string[], stored = () => {}) {
  return {
    stored(context: number) {
      told.push(`${name} ${context}`)
      stored()
    },
    lost(error: unknown) {
      told.push(`${name} lost: ${(error as Error).message}`)
    },
  }
}

test('all that wait for one promise go on in order, after one reaction to it', async t => {
  const acknowledgements = new Acknowledgements<number>()
  const told: string[] = []
  const { promise, resolve } = deferred()
  let reactions = 0
  const then = promise.then.bind(promise)
  promise.then = ((...args: Parameters<typeof then>) => {
    reactions += 1
    return then(...args)
  }) as typeof promise.then
  for (const [index, name] of ['a', 'b', 'c'].entries()) acknowledgements.then(promise, waiter(name, told), index)
  t.strictSame(told, [])
  resolve()
  await promise
  await atRest()
  t.strictSame(told, ['a 0', 'b 1', 'c 2'])
  t.equal(reactions, 1)
})

test('a store that gives every write a promise of its own is served too', async t => {
  const acknowledgements = new Acknowledgements<number>()
  const told: string[] = []
  const writes = [deferred(), deferred(), deferred()]
  for (const [index, { promise }] of writes.entries()) acknowledgements.then(promise, waiter(`w${index}`, told), index)
  for (const { resolve } of writes.reverse()) {
    resolve()
    await atRest()
  }
  t.strictSame(told, ['w2 2', 'w1 1', 'w0 0'])
})

test('who comes when the promise has been kept is told all the same', async t => {
  const acknowledgements = new Acknowledgements<number>()
  const told: string[] = []
  const kept = Promise.resolve()
  acknowledgements.then(kept, waiter('first', told), 1)
  await atRest()
  acknowledgements.then(kept, waiter('second', told), 2)
  await atRest()
  t.strictSame(told, ['first 1', 'second 2'])
})

test('a store that fails loses each of them; one that throws does not keep the others from going on', async t => {
  const acknowledgements = new Acknowledgements<number>()
  const told: string[] = []
  const full = Promise.reject(new Error('disk full'))
  acknowledgements.then(full, waiter('a', told), 1)
  acknowledgements.then(full, waiter('b', told), 2)
  await atRest()
  const fine = Promise.resolve()
  const throws = () => {
    throw new Error('a defect')
  }
  acknowledgements.then(fine, waiter('c', told, throws), 3)
  acknowledgements.then(fine, waiter('d', told), 4)
  await atRest()
  t.strictSame(told, ['a lost: disk full', 'b lost: disk full', 'c 3', 'c lost: a defect', 'd 4'])
})

test('what nobody waits for is no unhandled rejection', async t => {
  const acknowledgements = new Acknowledgements<number>()
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  const full = Promise.reject(new Error('disk full'))
  acknowledgements.ignore(undefined)
  acknowledgements.ignore(full)
  acknowledgements.ignore(full)
  await atRest()
  t.strictSame(unhandled, [])
})
