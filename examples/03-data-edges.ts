// Futures are arguments. A task starts when what it was given is there, and does not start if that failed.

import { allowFailure, flow, type State, task, unmapped } from 'mintaka'

const log: string[] = []

const load = task('load', (source: string) => {
  if (source === 'broken') throw new Error('the source is broken')
  return source.length
})
const add = task('add', (a: number, b: number) => a + b)
const total = task('total', (parts: { numbers: number[] }) => parts.numbers.reduce((a, b) => a + b, 0))
const write = task('write', (line: string) => void log.push(line))
const describe = task('describe', (state: State<number>) => `${state.name}: ${state.message ?? ''}`)

const edges = flow('edges', async () => {
  const north = load('north')
  const south = load('south-east')
  const both = total({ numbers: [north, south] }) // futures may sit in arrays, objects, Maps and Sets

  const first = write('first')
  const second = write.with({ waitFor: [first] })('second') // an edge without a value

  const more = add.map([north, south, 100], unmapped(both)) // a call per element; `both` goes whole to each

  const broken = load('broken')
  const waiting = add(broken, 1) // never runs: it rests in NotReady
  const told = describe(allowFailure(broken)) // runs all the same, and receives the state

  await second
  return { both: await both, more: await Promise.all(more), waiting: (await waiting.wait()).name, told: await told }
})

console.log(await edges())
console.log(log)
