// Tasks that must not run beside too many of their kind, on threads that are set up once and stay warm.

import { flow, ParallelExecutor, task } from 'mintaka'

interface Desk {
  dictionary?: Map<string, string>
}

await using executor = new ParallelExecutor({
  threads: 4,
  resources: { GPU: 1 },
  limits: { db: 2 },
  // Once per thread, before its first task. Tasks find what it leaves on globalThis.
  setup: () => {
    const desk = globalThis as Desk
    desk.dictionary = new Map([
      ['uno', 'one'],
      ['due', 'two'],
      ['tre', 'three'],
    ])
  },
})

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

const translate = task('translate', (word: string) => (globalThis as Desk).dictionary?.get(word) ?? '?')

const when = async (ms: number) => {
  const from = Date.now()
  await pause(ms)
  return [from, Date.now()] as const
}
// A resource means what you want it to mean: each of these takes half of the one GPU while it runs.
const render = task('render', () => when(30), { annotations: { resources: { GPU: 0.5 } } })
// A limit by tag: each task with that tag takes one of them.
const save = task('save', () => when(30), { tags: ['db'] })

const main = flow(
  'main',
  async () => {
    const words = await Promise.all(translate.map(['uno', 'due', 'tre']))
    const renders = await Promise.all(Array.from({ length: 6 }, () => render()))
    const saves = await Promise.all(Array.from({ length: 6 }, () => save()))
    return { words, renders: mostAtOnce(renders), saves: mostAtOnce(saves) }
  },
  { executor },
)

function mostAtOnce(spans: (readonly [from: number, to: number])[]): number {
  return Math.max(...spans.map(([at]) => spans.filter(([from, to]) => from <= at && at < to).length))
}

console.log(await main())

// What could never run is said at once.
const huge = task('huge', () => 1, { annotations: { resources: { GPU: 2 } } })
const state = await flow('too much', () => huge(), { executor })().wait()
console.log(state?.name, (state as { error?: Error }).error?.message)
