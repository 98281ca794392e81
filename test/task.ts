import { type TaskOptions, task } from 'mintaka'
import { test } from 'tap'

const wrong: [keyof TaskOptions, unknown][] = [
  ['retries', -1],
  ['retries', 1.5],
  ['retryDelayMs', -1],
  ['retryDelayMs', ['1']],
  ['retryIf', true],
  ['timeoutMs', -1],
  ['timeoutMs', '1s'],
  ['cacheKey', 'input'],
  ['cacheForMs', Number.NaN],
  ['persistResult', 'no'],
  ['tags', 'a'],
  ['tags', [1]],
  ['annotations', []],
  ['description', ''],
  ['captures', [1]],
  ['files', 'a'],
  ['external', [1]],
]
for (const [option, value] of wrong) {
  test(`the option ${option} of a task cannot be ${JSON.stringify(value)}`, async t => {
    const refused = {
      code: 'INVALID_OPTION',
      option,
      message: new RegExp(`^The option '${option}' of task 'a' should be `),
    }
    t.throws(() => task('a', () => 1, { [option]: value }), refused)
    t.throws(() => task('a', () => 1).with({ [option]: value }), refused)
    t.throws(() => task.fromModule('file:///x.js', 'a', { [option]: value }), refused)
  })
}

test('options of a call belong to with, and not to the task', async t => {
  for (const option of ['waitFor', 'name', 'signal']) {
    t.throws(() => task('a', () => 1, { [option]: [] } as TaskOptions), { code: 'INVALID_OPTION', option })
  }
  const a = task('a', () => 1)
  t.throws(() => a.with({ waitFor: [Promise.resolve()] as never }), { code: 'INVALID_OPTION', option: 'waitFor' })
  t.throws(() => a.with({ name: '' }), { code: 'INVALID_OPTION', option: 'name' })
  t.throws(() => a.with({ signal: {} as AbortSignal }), { code: 'INVALID_OPTION', option: 'signal' })
  t.throws(() => a.with({ retires: 1 } as TaskOptions), {
    code: 'INVALID_OPTION',
    message: /^task 'a' has no option 'retires'\. It has: retries, /,
  })
})

test('a task begins with its name, and has a function', async t => {
  t.throws(() => task('', () => 1), { code: 'INVALID_ARGUMENT', message: /begins with its name/ })
  t.throws(() => task(undefined as unknown as 'a', () => 1), { code: 'INVALID_ARGUMENT' })
  t.throws(() => task('a', undefined as unknown as () => 1), {
    code: 'INVALID_ARGUMENT',
    task: 'a',
    message: "task('a', …) has no function. Write task('a', fn).",
  })
})

test('a task by reference takes the URL of a module and the name of an export', async t => {
  t.throws(() => task.fromModule('./relative.js', 'a'), { code: 'INVALID_ARGUMENT', message: /import\.meta\.url/ })
  t.throws(() => task.fromModule(import.meta.url, 1 as never), { code: 'INVALID_ARGUMENT' })
  const join = task.fromModule<[string, string], string>('node:path', 'join')
  t.equal(join.name, 'join')
  t.match(await join.fn('a', 'b'), /^a.b$/)
  const none = task.fromModule<[], never>('node:path', 'nothing')
  await t.rejects(async () => none.fn(), { code: 'NOT_FOUND', message: /exports no function 'nothing'\. It exports: / })
})
