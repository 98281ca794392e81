import { test } from 'tap'
import { Admission, type Claimant, demand, limitName, patience } from '../../lib/threads/admission.js'
import { Random } from '../fixtures/random.js'

interface Asking {
  readonly takes?: Record<string, number>
  readonly tags?: readonly string[]
  readonly priority?: number
  readonly owner?: string
}

interface Handmade extends Claimant {
  isOver: boolean
}

let count = 0
function call({ takes = {}, tags = [], priority = 0, owner = 'flow' }: Asking): Handmade {
  const amounts = [
    ...Object.entries(takes).map(([name, amount]) => ({ name, amount })),
    ...tags.map(tag => ({ name: limitName(tag), amount: 1 })),
  ]
  return { demand: demand(amounts), priority, owner, order: count++, isOver: false }
}

test('a call goes when what it takes is free, and what it took is free again when it has left', async t => {
  const admission = new Admission({ resources: { GPU: 1 } })
  const [first, second] = [call({ takes: { GPU: 1 } }), call({ takes: { GPU: 1 } })]
  t.ok(admission.admit(first))
  t.notOk(admission.admit(second))
  t.equal(admission.next(undefined), undefined)
  admission.giveBack(first)
  t.equal(admission.next(undefined), second)
  t.notOk(admission.isWaitedFor)
  admission.giveBack(second)
  t.ok(admission.admit(call({ takes: { GPU: 1 } })))
})

test('what is given back twice, or was never taken, counts once or not at all', async t => {
  const admission = new Admission({ limits: { db: 1 } })
  const [first, second, third] = [call({ tags: ['db'] }), call({ tags: ['db'] }), call({ tags: ['db'] })]
  t.ok(admission.admit(first))
  t.notOk(admission.admit(second))
  admission.giveBack(second)
  t.equal(admission.next(undefined), undefined)
  admission.giveBack(first)
  admission.giveBack(first)
  t.equal(admission.next(undefined), second)
  t.notOk(admission.admit(third))
})

test('fractions add up: ten tenths are one, and none is left over', async t => {
  const admission = new Admission({ resources: { GPU: 1 } })
  for (let time = 0; time < 1000; time++) {
    const calls = Array.from({ length: 10 }, () => call({ takes: { GPU: 0.1 } }))
    if (!calls.every(each => admission.admit(each))) return t.fail(`less than there is, at ${time}`)
    const more = call({ takes: { GPU: 0.05 } })
    if (admission.admit(more)) return t.fail(`more than there is, at ${time}`)
    for (const each of calls) admission.giveBack(each)
    if (admission.next(undefined) !== more) return t.fail(`it could go, at ${time}`)
    admission.giveBack(more)
  }
  t.ok(admission.admit(call({ takes: { GPU: 1 } })))
})

test('a call that cannot go does not block those behind it that want something else, or less', async t => {
  const admission = new Admission({ resources: { GPU: 2, disk: 1 } })
  t.ok(admission.admit(call({ takes: { GPU: 1 } })))
  t.notOk(admission.admit(call({ takes: { GPU: 2 } })))
  t.ok(admission.admit(call({ takes: { disk: 1 } })))
  t.ok(admission.admit(call({ takes: { GPU: 1 } })))
})

test('calls that want the same go in their order, each flow run in turn', async t => {
  const admission = new Admission<Handmade>({ limits: { db: 1 } })
  let running = call({ tags: ['db'] })
  admission.admit(running)
  const [a1, a2, a3] = [1, 2, 3].map(() => call({ tags: ['db'], owner: 'a' }))
  const b1 = call({ tags: ['db'], owner: 'b' })
  for (const each of [a1, a2, a3, b1]) t.notOk(admission.admit(each as Handmade))
  const order: (Handmade | undefined)[] = []
  for (let time = 0; time < 4; time++) {
    admission.giveBack(running)
    running = admission.next(undefined) as Handmade
    order.push(running)
  }
  t.strictSame(order, [a1, b1, a2, a3])
})

test('the most urgent that can go goes', async t => {
  const admission = new Admission<Handmade>({ resources: { GPU: 2 } })
  const running = call({ takes: { GPU: 2 } })
  admission.admit(running)
  const low = call({ takes: { GPU: 1 }, priority: -1 })
  const high = call({ takes: { GPU: 1 }, priority: 5 })
  const usual = call({ takes: { GPU: 1.5 } })
  for (const each of [low, usual, high]) t.notOk(admission.admit(each))
  admission.giveBack(running)
  t.equal(admission.next({ priority: 9, owner: 'x', order: 0 }), undefined, 'somebody else is more urgent')
  t.equal(admission.next({ priority: 4, owner: 'x', order: 0 }), high)
  t.equal(admission.next(undefined), low, 'the usual one wants more than is free')
  t.equal(admission.next(undefined), undefined)
})

test('those who waited for something and those who wait for a thread go in turn', async t => {
  const admission = new Admission<Handmade>({ limits: { db: 1 } })
  const other = { priority: 0, owner: 'x', order: 0 }
  let running = call({ tags: ['db'] })
  admission.admit(running)
  for (let time = 0; time < 4; time++) admission.admit(call({ tags: ['db'] }))
  const went: string[] = []
  for (let time = 0; time < 6; time++) {
    admission.giveBack(running)
    const next = admission.next(other)
    went.push(next ? 'waited' : 'other')
    if (next) running = next
  }
  t.strictSame(went, ['waited', 'other', 'waited', 'other', 'waited', 'other'])
})

test('a large demand is not starved by a stream of small ones', async t => {
  const admission = new Admission<Handmade>({ resources: { GPU: 4 } })
  const running = Array.from({ length: 4 }, () => call({ takes: { GPU: 1 } }))
  for (const each of running) admission.admit(each)
  const large = call({ takes: { GPU: 4 } })
  t.notOk(admission.admit(large))
  let passed = 0
  for (let next: Handmade | undefined; next !== large; ) {
    admission.giveBack(running.shift() as Handmade)
    const small = call({ takes: { GPU: 1 } })
    if (admission.admit(small)) {
      passed++
      running.push(small)
    }
    next = admission.next(undefined)
    if (next && next !== large) {
      passed++
      running.push(next)
    }
    if (passed > 1000) return t.fail('starved')
  }
  t.equal(passed, patience)
  admission.giveBack(large)
  t.ok(admission.next(undefined), 'then the small ones go on')
})

test('a call that is more urgent passes also one that has waited long', async t => {
  const admission = new Admission<Handmade>({ resources: { GPU: 2 } })
  const first = call({ takes: { GPU: 1 } })
  admission.admit(first)
  const large = call({ takes: { GPU: 2 } })
  admission.admit(large)
  for (let time = 0; time < patience; time++) {
    const small = call({ takes: { GPU: 1 } })
    if (!admission.admit(small)) return t.fail(`patience ended at ${time}`)
    admission.giveBack(small)
  }
  t.notOk(admission.admit(call({ takes: { GPU: 1 } })), 'patience has come to its end')
  t.ok(admission.admit(call({ takes: { GPU: 1 }, priority: 1 })))
})

test('one that is stopped while it waits is passed over', async t => {
  const admission = new Admission<Handmade>({ limits: { db: 1 } })
  const running = call({ tags: ['db'] })
  admission.admit(running)
  const [stopped, next] = [call({ tags: ['db'] }), call({ tags: ['db'] })]
  admission.admit(stopped)
  admission.admit(next)
  stopped.isOver = true
  admission.giveBack(running)
  t.equal(admission.next(undefined), next)
  t.notOk(admission.isWaitedFor)
})

test('those of one owner can be taken out', async t => {
  const admission = new Admission<Handmade>({ limits: { db: 1 } })
  admission.admit(call({ tags: ['db'] }))
  const [a, b] = [call({ tags: ['db'], owner: 'a' }), call({ tags: ['db'], owner: 'b' })]
  admission.admit(a)
  admission.admit(b)
  t.strictSame(admission.drain('a'), [a])
  t.strictSame(admission.drain(), [b])
  t.notOk(admission.isWaitedFor)
})

test('whatever ends whenever: never more than there is, nothing leaks, everybody goes', async t => {
  for (let seed = 1; seed <= 30; seed++) {
    const story = play(seed)
    if (story) return t.fail(`seed ${seed}: ${story}`)
  }
})

/** A random life of 400 calls. Tells what went wrong. */
function play(seed: number): string | undefined {
  const random = new Random(seed)
  const pick = <T>(items: readonly T[]): T => random.of(items)
  const total: Record<string, number> = { GPU: 2, memory: 8e9, [limitName('db')]: 2 }
  const admission = new Admission<Handmade>({ resources: { GPU: 2, memory: 8e9 }, limits: { db: 2 } })
  const running = new Set<Handmade>()
  const waiting = new Set<Handmade>()
  const used = (name: string) =>
    [...running].reduce((sum, { demand }) => sum + (demand.amounts.find(each => each.name === name)?.amount ?? 0), 0)
  const goes = (each: Handmade) => {
    waiting.delete(each)
    running.add(each)
  }
  for (let step = 0; step < 4000; step++) {
    const isOpen = step < 2000
    if (isOpen && random.next() < 0.3) {
      const takes = pick([
        { GPU: 0.5 },
        { GPU: 2 },
        { memory: 1e9 * Math.ceil(random.next() * 8) },
        { GPU: 1, memory: 5e9 },
        {},
      ])
      const tags = Object.keys(takes).length === 0 || random.next() < 0.3 ? ['db'] : []
      const each = call({ takes, tags, priority: pick([0, 0, 1]), owner: pick(['a', 'b']) })
      if (admission.admit(each)) running.add(each)
      else waiting.add(each)
    } else if (random.next() < 0.5 && running.size > 0) {
      const each = pick([...running])
      running.delete(each)
      admission.giveBack(each)
      if (isOpen && random.next() < 0.2) admission.admit(each) ? running.add(each) : waiting.add(each) // taken back, comes again
    } else if (random.next() < 0.05 && waiting.size > 0) {
      const each = pick([...waiting])
      each.isOver = true
      waiting.delete(each)
    } else {
      const next = admission.next(undefined)
      if (next && !waiting.has(next)) return `${step}: one that did not wait`
      if (next) goes(next)
    }
    for (const [name, most] of Object.entries(total)) if (used(name) > most) return `${step}: too much ${name}`
  }
  if (waiting.size > 0 || running.size > 0) {
    for (let more = true; more; ) {
      for (const each of running) admission.giveBack(each)
      running.clear()
      const next = admission.next(undefined)
      if (next) goes(next)
      more = next !== undefined
    }
  }
  if (waiting.size > 0) return `${waiting.size} wait for ever`
  if (admission.isWaitedFor) return 'a line is left'
  return admission.admit(call({ takes: { GPU: 2, memory: 8e9 }, tags: ['db'] })) ? undefined : 'something leaked'
}
