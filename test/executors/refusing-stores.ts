import {
  ConcurrentExecutor,
  createEngine,
  flow,
  type LogEntry,
  MemoryStore,
  ParallelExecutor,
  type Run,
  type State,
  task,
  taskContext,
} from 'mintaka'
import { type Test, test } from 'tap'

/** A store that throws, where stores should reject: for one state of task runs, or for each line of a log. */
class Refusing extends MemoryStore {
  private readonly refused: State['type'] | 'log'

  constructor(refused: State['type'] | 'log') {
    super()
    this.refused = refused
  }

  override appendState(run: Run, state: State, options?: { readonly persist?: boolean | undefined }) {
    if (state.type === this.refused && run.name.startsWith('say')) throw new RangeError(`no room for ${state.type}`)
    return super.appendState(run, state, options)
  }

  override appendLog(entry: LogEntry): void {
    if (this.refused === 'log') throw new RangeError('no room for lines')
    super.appendLog(entry)
  }
}

const say = task('say', (text: string, ms: number) => {
  taskContext().log.info(text)
  console.log(text)
  // Long enough for its start to be told before its end.
  const end = performance.now() + ms
  while (performance.now() < end);
  return text
})

async function statesOf(t: Test, executor: ConcurrentExecutor | ParallelExecutor, refused: State['type'] | 'log') {
  const lines: string[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (line: string) => void lines.push(line) }
  const engine = createEngine({ store: new Refusing(refused), logger })
  t.teardown(() => engine.close())
  const states: State[] = []
  const body = async () => {
    for (const ms of [0, 30]) states.push(await say(`${t.name} ${ms}`, ms).wait())
  }
  await engine.run(flow('says', body, { executor })).catch(() => {})
  return { states, lines }
}

for (const Executor of [ConcurrentExecutor, ParallelExecutor]) {
  for (const refused of ['RUNNING', 'COMPLETED'] as const) {
    test(`${Executor.name}: a store that throws at ${refused} costs the run, and not the process`, async t => {
      const { states } = await statesOf(t, new Executor(), refused)
      t.equal(states.length, 2)
      for (const state of states) t.match(state, { type: 'CRASHED', error: { message: `no room for ${refused}` } })
    })
  }

  test(`${Executor.name}: a store that refuses a line of a log loses that line only, and it is said`, async t => {
    const { states, lines } = await statesOf(t, new Executor(), 'log')
    t.strictSame(
      states.map(({ type }) => type),
      ['COMPLETED', 'COMPLETED'],
    )
    t.match(lines.join('\n'), /The store refused a line of a log/)
  })
}
