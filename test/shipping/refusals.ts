import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { ErrorCode } from '../../lib/core/errors.js'
import { ship } from '../../lib/shipping/index.js'
import { load, source, taskIn } from './fixtures/ship.js'

const head = `import { task, flow } from 'mintaka'\n`

/** The task 'x' of a file that holds `code` below its import line is refused with exactly these words. */
async function refused(
  t: Test,
  code: string,
  error: { code: ErrorCode; message: string; line?: number },
  file = 'report.ts',
) {
  const path = join(t.testdir({ [file]: head + code }), file)
  await t.rejects(ship(taskIn(path, 'x')), { name: 'MintakaError', task: 'x', file: path, ...error })
}

async function accepted(t: Test, code: string, warnings: readonly string[] = []) {
  const shipment = await ship(taskIn(join(t.testdir({ 'report.ts': head + code }), 'report.ts'), 'x'))
  t.strictSame(shipment.warnings, warnings)
}

test('a local variable of a function around the task is refused', t =>
  refused(t, 'function mk(k: number) {\n  return task("x", (n: number) => n * k)\n}\n', {
    code: 'CAPTURES_LOCAL',
    line: 3,
    message:
      "Task 'x' (report.ts:3) uses the local variable 'k' (declared at line 2 inside a function). A worker has no " +
      'access to it. Pass it as an argument, move it to the top level of the module, or list it: ' +
      "task('x', fn, { captures: { k } }).",
  }))

test('a variable of a block at the top level is a local one', async t => {
  const message = (line: number) =>
    `Task 'x' (report.ts:2) uses the local variable 'k' (declared at line ${line} inside a block). A worker has no ` +
    'access to it. Pass it as an argument, move it to the top level of the module, or list it: ' +
    "task('x', fn, { captures: { k } })."
  const error = { code: 'CAPTURES_LOCAL', line: 2, message: message(2) } as const
  await refused(t, '{ const k = 1; task("x", () => k) }', error)
  await refused(t, 'for (const k of [1]) task("x", () => k)', error)
  await refused(t, 'for (let k = 0; k < 1; k++) task("x", () => k)', error)
  await refused(t, 'if (true) { let k = 1; task("x", () => { k = 2 }) }', error)
  await refused(t, 'try { throw 1 } catch (k) { task("x", () => k) }', error)
  await refused(t, 'switch (1) { case 1: const k = 1; task("x", () => k) }', error)
  await refused(t, 'class A { static { const k = 1; task("x", () => k) } }', error)
})

test('each local variable is named, and each kind of it is seen', async t => {
  const captured = async (code: string, names: readonly string[]) => {
    const path = source(t.testdir({}), 'a.ts', head + code)
    const error = await ship(taskIn(path, 'x')).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    t.strictSame(
      [...(error?.message ?? '').matchAll(/variable '(\w+)'/g)].map(([, name]) => name),
      names,
      code,
    )
  }
  await captured('function f(a: number) { const b = 1; task("x", () => [a, b, a]) }', ['a', 'b'])
  await captured('function f({ a = 1, ...b }: any) { task("x", () => ({ a, b })) }', ['a', 'b'])
  await captured('function f() { function a() {}; class B {}; task("x", () => [a, new B()]) }', ['a', 'B'])
  await captured('function f() { const a = task("x", (n: number) => a.fn(n)) }', ['a'])
  await captured('function f() { task("x", () => arguments) }', ['arguments'])
  await captured('const f = function g() { task("x", () => g) }', ['g'])
  await captured('function f(a: number) { task("x", a => a); task("y", (b = a) => b) }', [])
  await captured('function f(a: number) { task("x", function a() { return a }) }', [])
  await captured('function f(a: number) { task("x", () => ({ a: 1 }).a) }', [])
  await captured('function f<T>(a: T) { task("x", (b: T, c: typeof a) => b as typeof a) }', [])
  await captured('function f(g: () => void) { task("x", g) }', ['g'])
  await captured('flow("f", async () => { const { a } = { a: 1 }; task("x", () => { const a2 = a; return a2 }) })', [
    'a',
  ])
})

test('listed captures are given when the function is made', async t => {
  const path = source(
    t.testdir({}),
    'a.ts',
    `${head}export const mk = (k: number, other: number) => task('x', (n: number) => n * k, { captures: { k } })`,
  )
  const captures = { k: 3 }
  const shipment = await ship(taskIn(path, 'x', captures))
  t.equal((await load(shipment, captures))(2), 6)
  t.equal((await load(shipment, { k: 4 }))(2), 8)
  t.equal((await ship(taskIn(path, 'x', { k: 9 }))).url, shipment.url, 'one code for all values')
  await t.rejects(ship(taskIn(path, 'x', { other: 1 })), { code: 'CAPTURES_LOCAL' })
})

test('a capture of the name of a module variable goes before it', async t => {
  const code = `${head}let k = 1\nflow('f', () => { k = 5 })\ntask('x', () => k, { captures: { k } })`
  const captures = { k: 5 }
  const shipment = await ship(taskIn(source(t.testdir({}), 'a.ts', code), 'x', captures))
  t.equal((await load(shipment, captures))(), 5)
})

test('this, super and new.target of the function around are refused', async t => {
  const message = (word: string, line: number) =>
    `Task 'x' uses ${word} of the function around it (report.ts:${line}), which a worker does not have.`
  const error = { code: 'CAPTURES_THIS', line: 2 } as const
  await refused(t, 'class A { f() { task("x", () =>\n this) } }', { ...error, message: message('this', 3) })
  await refused(t, 'class A { f() { task("x", () => super.toString()) } }', { ...error, message: message('super', 2) })
  await refused(t, 'function F() { task("x", () => new.target) }', { ...error, message: message('new.target', 2) })
  await refused(t, 'class A { g() {} f() { task("x", this.g) } }', { ...error, message: message('this', 2) })
  await refused(t, 'task("x", () => class extends this {})', { ...error, message: message('this', 2) })
  await accepted(t, 'class A { f() { task("x", function (this: any) { return this }) } }')
  await accepted(t, 'task("x", () => class { a = this; static { this.name } f() { return super.toString() } })')
  await accepted(t, 'task("x", () => ({ f() { return this } }))')
})

test('a module variable that changes outside what a worker runs is refused', async t => {
  const message = (how: string) =>
    `Task 'x' (report.ts:2) uses the module variable 'cfg', which is ${how}, outside what a worker runs; ` +
    'the worker would see its initial value. Pass it as an argument.'
  const error = (how: string) => ({ code: 'STALE_VARIABLE', line: 2, message: message(how) }) as const
  const task = 'task("x", () => cfg)\n'
  await refused(t, `${task}let cfg: any\nflow("f", () => { cfg = 1 })`, error('assigned at line 4'))
  await refused(t, `${task}let cfg = 1\nflow("f", () => { cfg++ })`, error('assigned at line 4'))
  await refused(t, `${task}let cfg = 1\nif (process.env.X) cfg = 2`, error('assigned at line 4'))
  await refused(t, `${task}let cfg = 1\nflow("f", () => { [cfg] = [2] })`, error('assigned at line 4'))
  await refused(t, `${task}let cfg = 1\nflow("f", () => { ({ a: cfg = 3 } = {} as any) })`, error('assigned at line 4'))
  await refused(t, `${task}let cfg = 1\nflow("f", () => { for (cfg of [2]); })`, error('assigned at line 4'))
  await refused(t, `${task}let cfg = 1\ntask("y", () => { cfg = 2 })`, error('assigned at line 4'))
  await refused(t, `${task}const cfg: any = {}\nflow("f", () => { cfg.a.b = 1 })`, error('changed at line 4'))
  await refused(t, `${task}const cfg: any = {}\nflow("f", () => { delete cfg.a })`, error('changed at line 4'))
  await refused(t, `${task}const cfg: any = {}\nflow("f", () => { cfg!.a++ })`, error('changed at line 4'))
  await refused(t, `${task}const cfg: any = {}\nflow("f", () => { [cfg.a] = [1] })`, error('changed at line 4'))
  await refused(
    t,
    `${task}const cfg: any = {}\nflow("f", () => { Object.assign(cfg, { a: 1 }) })`,
    error('changed at line 4'),
  )
  await refused(t, `${task}class cfg { static n = 0 }\nflow("f", () => { cfg.n++ })`, error('changed at line 4'))
  await refused(t, `${task}const cfg = new Map()\nflow("f", () => { cfg.set(1, 2) })`, error('changed at line 4'))
  await refused(t, `${task}const cfg: number[] = []\nflow("f", () => { cfg.push(1) })`, error('changed at line 4'))
  await refused(
    t,
    `task("x", () => read())\nlet cfg = 1\nfunction read() { return cfg }\nconst set = () => { cfg = 2 }`,
    error('assigned at line 5'),
  )
})

test('a module variable that changes at the top level after a flow has run is refused', async t => {
  const message = (how: string, ran: number) =>
    `Task 'x' (report.ts:2) uses the module variable 'cfg', which is ${how}, after line ${ran} runs a flow; ` +
    'the worker would see that value from its start. Pass it as an argument.'
  const error = (how: string, ran = 4) => ({ code: 'STALE_VARIABLE', line: 2, message: message(how, ran) }) as const
  const task = 'const x = task("x", () => cfg)\n'
  const f = 'const f = flow("f", () => x()); '
  await refused(t, `${task}let cfg = 1\n${f}await f()\ncfg = 2`, error('assigned at line 5'))
  await refused(t, `${task}let cfg = 1\n${f}void f.with({})().then()\ncfg++`, error('assigned at line 5'))
  await refused(t, `${task}let cfg = 1\nawait flow("f", () => x())()\ncfg = 2`, error('assigned at line 5'))
  await refused(
    t,
    `${task}const cfg = [1]\nlog(main())\ncfg.push(2)\n${f}
    async function main() { await f() }\nfunction log(what: unknown) {}`,
    error('changed at line 5'),
  )
  await accepted(t, `${task}let cfg = 1\n${f}\ncfg = 2\nawait f()`)
  await accepted(t, `${task}let cfg = 1\n${f}const g = f.with({})\ncfg = 2\nawait g()`)
  await accepted(t, `${task}let cfg = 1\n${f}export const main = () => f()\ncfg = 2`)
})

test('a variable of CommonJS exports is a module variable', async t => {
  const code =
    'const m = require("mintaka")\nexports.cfg = 1\nm.task("x", () => exports.cfg)\nm.flow("f", () => { exports.cfg = 2 })'
  await t.rejects(ship(taskIn(source(t.testdir({}), 'report.cjs', code), 'x')), {
    code: 'STALE_VARIABLE',
    message: /^Task 'x' \(report.cjs:3\) uses the module variable 'cfg', which is assigned at line 4, outside/,
  })
})

test('what a flow gives at the top level is refused, and not waited for', async t => {
  await refused(t, 'const f = flow("f", () => 1)\nconst rows = await f()\ntask("x", () => rows)', {
    code: 'STALE_VARIABLE',
    message:
      "Task 'x' (report.ts:4) uses what flow 'f' gives at report.ts:3; workers run no flows. Pass it as an argument.",
  })
})

test('a name that workers do not have is refused', async t => {
  const globals = globalThis as { describe?: unknown }
  globals.describe = () => undefined
  t.teardown(() => delete globals.describe)
  const message = "Task 'x' (report.ts:2) uses 'describe', which does not exist in a worker."
  await refused(t, 'task("x", () => describe("a"))', { code: 'UNKNOWN_GLOBAL', line: 2, message })
  await refused(t, 'task("x", () => f())\nfunction f() { describe("a") }', { code: 'UNKNOWN_GLOBAL', line: 2, message })
  await refused(t, 'declare const describe: any\ntask("x", () => describe)', {
    code: 'UNKNOWN_GLOBAL',
    message: message.replace(':2', ':3'),
  })
  await accepted(t, 'task("x", () => typeof describe === "undefined" ? 1 : describe())')
  await accepted(
    t,
    'task("x", () => [fetch, setTimeout, structuredClone, Buffer, WebAssembly, Intl, undefined, globalThis])',
  )
})

test('a task without a literal name is not found', async t => {
  const message =
    "Task 'x' can't be sent to a worker: there is no call task('x', …) with a literal name in report.ts. " +
    "Write the name as a string literal. If your app is bundled, keep 'mintaka' external."
  const error = { code: 'NOT_LOCATED', message } as const
  await refused(t, 'for (const n of ["x"]) task(n, () => 1)', error)
  await refused(t, ['const n = "x"\ntask(`$', '{n}`, () => 1)'].join(''), error)
  await refused(t, 'function f(task: any) { task("x", () => 1) }', error)
  await refused(t, 'const args = ["x", () => 1] as const\ntask(...args)', error)
  await refused(t, 'task.fromModule(import.meta.url, "x")', error)
})

test('two tasks of one name in a file are refused', async t => {
  await refused(t, 'task("x", () => 1)\n\nflow("f", () => { task("x", () => 2) })', {
    code: 'DUPLICATE_NAME',
    line: 2,
    message: "Two tasks are named 'x' in report.ts (lines 2 and 4). Give each its own name.",
  })
  await accepted(t, 'task("x", () => 1)\nflow("x", () => 2)')
})

test('code without a file is refused', async t => {
  for (const file of ['[eval]', 'REPL1', '/nowhere/[eval1]']) {
    const place = file.replace('/nowhere/', '')
    await t.rejects(ship(taskIn(file, 's')), {
      code: 'NO_FILE',
      message: `Task 's' was defined in ${place} (REPL, -e or stdin), so there is no file to ship. Put it in a file.`,
    })
  }
})

test('a file that changed after it was loaded is refused', async t => {
  const folder = t.testdir({})
  const loaded = taskIn(source(folder, 'report.ts', `${head}task('x', () => 1)`), 'x')
  source(folder, 'report.ts', `${head}task('x', () => 1000)`)
  await t.rejects(ship(loaded), {
    code: 'SOURCE_CHANGED',
    message: 'report.ts has changed since it was loaded; restart to run its tasks on workers.',
  })
  await ship(taskIn(join(folder, 'report.ts'), 'x'))
})

test('a file that changes after its first task was shipped is shipped as it was', async t => {
  const folder = t.testdir({})
  const path = source(folder, 'report.ts', `${head}task('x', () => 1)\ntask('y', () => 2)`)
  const [x, y] = [taskIn(path, 'x'), taskIn(path, 'y')]
  await ship(x)
  source(folder, 'report.ts', `${head}task('x', () => 1000)`)
  t.equal((await load(await ship(y)))(), 2)
})

test('what esbuild cannot find is told with its place', async t => {
  await refused(t, 'import { db } from "@/db"\ntask("x", () => db)', {
    code: 'BUILD',
    line: 3,
    message:
      "Task 'x' can't be prepared for workers: report.ts:2:20 Could not resolve \"@/db\". " +
      'If it is a path alias, add it to tsconfig paths.',
  })
  await refused(t, 'import { db } from "./db.js"\ntask("x", () => db)', {
    code: 'BUILD',
    message: "Task 'x' can't be prepared for workers: report.ts:2:20 Could not resolve \"./db.js\".",
  })
})

test('a file that is not JavaScript is told with its place', t =>
  refused(t, 'task("x", () => 1)\nconst = 3', {
    code: 'BUILD',
    message: "Task 'x' can't be prepared for workers: report.ts:3:7 Unexpected token.",
  }))

test('a module that imports the file of the task is refused, and the file is not run', async t => {
  const folder = t.testdir({ 'g.mjs': "import { k } from './report.ts'\nexport const g = () => k" })
  const path = source(
    folder,
    'report.ts',
    `${head}import { g } from './g.mjs'\nexport const k = 1\ntask('x', () => g())`,
  )
  await t.rejects(ship(taskIn(path, 'x')), {
    code: 'BUILD',
    message:
      /^Task 'x' can't be prepared for workers: .*imports report.ts again. Move what both need to a file of its own.$/,
  })
})

test('a task by reference is not shipped', t =>
  t.rejects(ship({ name: 'x', fn: () => 1, source: { type: 'module', url: 'file:///a.js', exportName: 'x' } }), {
    code: 'INVALID_ARGUMENT',
  }))

test('a task that is refused keeps no other back', async t => {
  const path = source(
    t.testdir({}),
    'a.ts',
    `${head}import { no } from './no.js'\nconst f = (k: number) => task('local', () => k)\ntask('build', () => no)\ntask('x', () => 1)\ntask('y', () => 2)`,
  )
  const names = ['local', 'build', 'x', 'y']
  const results = await Promise.allSettled(names.map(name => ship(taskIn(path, name))))
  t.strictSame(
    results.map(result => (result.status === 'rejected' ? result.reason.code : result.status)),
    ['CAPTURES_LOCAL', 'BUILD', 'fulfilled', 'fulfilled'],
  )
})

test('a line at the top level that may fill what a task uses is told', async t => {
  const line =
    "report.ts:4 runs at the top level and uses 'map', which task 'x' uses too; a worker does not run that line. " +
    "Build 'map' in its declaration or in a function that declares it."
  const code = (last: string) =>
    `const map = new Map()\ntask("x", () => map)\n${last}\nfunction fill(..._: unknown[]) {}`
  await accepted(t, code('fill(map)'), [line])
  await accepted(t, code('if (process.env.A) fill(map)'), [line])
  await accepted(t, code('for (const k of [1, 2]) fill(k, map)'), [line])
  await accepted(t, code('await fill(map)'), [line])
  await accepted(t, code('fill(1)'))
  await accepted(
    t,
    'const map = make()\ntask("x", () => map.all())\nconst off = map.register("a")\nfunction make() { return { all: () => [], register(_: string) {} } }',
    [line],
  )
  await accepted(t, code('console.log(map, map.get(1))'))
  await accepted(t, code('for (const [k] of map) fill(k)'))
  await accepted(t, code('const main = flow("f", () => 1); await main(); console.log(await main.with({})(map))'))
})

test('a call at the top level into a module that a task uses is told', t => {
  t.testdir({ 'db.js': '' })
  return accepted(t, 'import { init, query } from "nanoid"\ninit("a")\ntask("x", () => query)', [
    "report.ts:3 runs at the top level and calls something of 'nanoid', which task 'x' uses too; a worker does not " +
      "run that line. If it prepares 'nanoid', do that in the module itself or in the task.",
  ])
})

test('a change at the top level of what a module gives is told to tasks that use something else of it', async t => {
  const told =
    "report.ts:3 runs at the top level and changes something of 'zod', which task 'x' uses too; a worker does not " +
    "run that line. If it prepares 'zod', do that in the module itself or in the task."
  const code = (line: string) => `import { config, z } from "zod"\n${line}\ntask("x", () => z)`
  await accepted(t, code('config.a = 1'), [told])
  await accepted(t, code('if (process.env.A) config.a = 1'), [told])
  await accepted(t, 'import { config } from "zod"\nconfig.a = 1\ntask("x", () => config)')
})

test('a change that stays in the worker is told', t =>
  accepted(t, 'let total = 0\ntask("x", (n: number) => { total += n })\nflow("f", () => total)', [
    "report.ts:4 reads 'total', which task 'x' changes; what a worker changes stays in that worker. Return the value instead.",
  ]))

test('a class that changes its own static field is told', t =>
  accepted(t, 'class A { static n = 0; static up() { A.n++ } }\ntask("x", () => A.up())\nflow("f", () => A.n)', [
    "report.ts:4 reads 'A', which task 'x' changes; what a worker changes stays in that worker. Return the value instead.",
  ]))

test('a change of what is imported, or of what an object holds, is told', async t => {
  await accepted(t, 'const state = { list: [1] }\ntask("x", () => state)\nflow("f", () => { state.list.push(2) })', [
    "report.ts:4 changes 'state', which task 'x' uses too; a worker has its own, which stays as it was. " +
      'Pass what the task needs as an argument.',
  ])
  await accepted(t, 'import * as os from "node:os"\ntask("x", () => os)\nflow("f", () => { (os as any).a = 1 })', [
    "report.ts:4 changes 'os', which task 'x' uses too; a worker has its own, which stays as it was. " +
      'Pass what the task needs as an argument.',
  ])
})
