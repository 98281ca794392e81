import { ConcurrentExecutor, type FlowOptions, flow, isFlow, SequentialExecutor } from 'mintaka'
import { test } from 'tap'

const wrong: [string, unknown][] = [
  ['executor', 'sequential'],
  ['parameters', {}],
  ['timeoutMs', -1],
  ['retries', 0.5],
  ['retryDelayMs', '1s'],
  ['retryIf', true],
  ['version', 1],
  ['description', ''],
  ['tags', 'a'],
  ['engine', 'default'],
  ['logLevel', 'loud'],
]
for (const [option, value] of wrong) {
  test(`the option ${option} of a flow cannot be ${JSON.stringify(value)}`, async t => {
    const refused = { code: 'INVALID_OPTION', message: new RegExp(`^The option '${option}' of flow 'f' should be `) }
    t.throws(() => flow('f', () => 1, { [option]: value } as FlowOptions), refused)
    t.throws(() => flow('f', () => 1).with({ [option]: value } as FlowOptions), refused)
  })
}

test('options of a call belong to with, and not to the flow', async t => {
  for (const option of ['waitFor', 'name', 'signal', 'idempotencyKey']) {
    t.throws(() => flow('f', () => 1, { [option]: [] } as FlowOptions), { code: 'INVALID_OPTION', option })
  }
  t.throws(() => flow('f', () => 1).with({ idempotencyKey: '' }), { code: 'INVALID_OPTION', option: 'idempotencyKey' })
  t.throws(() => flow('f', () => 1, { retires: 1 } as FlowOptions), {
    code: 'INVALID_OPTION',
    message: /^flow 'f' has no option 'retires'\. It has: executor, /,
  })
})

test('a flow begins with its name, has a function, and takes one parameter at most', async t => {
  t.throws(() => flow('', () => 1), { code: 'INVALID_ARGUMENT', message: /begins with its name/ })
  t.throws(() => flow('f', undefined as unknown as () => 1), { code: 'INVALID_ARGUMENT', flow: 'f' })
  t.throws(() => flow('f', ((a: number, b: number) => a + b) as unknown as () => number), {
    code: 'INVALID_ARGUMENT',
    message: "The function of flow 'f' takes 2 parameters; a flow takes one. Give it one object with all of them.",
  })
})

test('an executor is an instance or a class, and has a name and a start', async t => {
  for (const executor of [SequentialExecutor, new ConcurrentExecutor()]) {
    t.ok(isFlow(flow('f', () => 1, { executor })))
  }
  for (const executor of [{}, { name: 'x' }, { start() {} }, class {}]) {
    t.throws(() => flow('f', () => 1, { executor: executor as never }), {
      code: 'INVALID_OPTION',
      message: /^The executor of flow 'f' has no name or no start\(\)/,
    })
  }
})

test('an engine is what createEngine gave', async t => {
  const engine = { run: () => {} } as never
  t.throws(() => flow('f', () => 1, { engine }), { code: 'INVALID_OPTION', message: /createEngine\(\)/ })
})

test('executors refuse options they do not have', async t => {
  for (const concurrency of [0, -1, 1.5, '2']) {
    t.throws(() => new ConcurrentExecutor({ concurrency: concurrency as number }), { code: 'INVALID_OPTION' })
  }
  t.throws(() => new ConcurrentExecutor({ threads: 2 } as object), { code: 'INVALID_OPTION', option: 'threads' })
  t.throws(() => new SequentialExecutor({ strict: 'yes' as never }), { code: 'INVALID_OPTION', option: 'strict' })
})
