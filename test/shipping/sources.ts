import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { ship } from '../../lib/shipping/index.js'
import { load, taskIn } from './fixtures/ship.js'

interface Sample {
  readonly says: string
  readonly code: string
  /** Default `main.mts`. */
  readonly file?: string
  readonly beside?: Readonly<Record<string, string>>
  readonly args?: readonly unknown[]
  readonly gives: unknown
  readonly warnings?: readonly string[]
}

const ts = `import { task, flow } from 'mintaka'\n`

/** Each has a task 'x', which has to give on a worker what it gives at home. */
const samples: Sample[] = [
  {
    says: 'a function of its arguments',
    code: `${ts}task('x', (a: number, b: number) => a + b)`,
    args: [1, 2],
    gives: 3,
  },
  {
    says: 'a function expression',
    code: `${ts}task('x', function twice(a: number) { return a * 2 })`,
    args: [2],
    gives: 4,
  },
  {
    says: 'an async function',
    code: `${ts}task('x', async (a: number) => { await null; return a })`,
    args: [5],
    gives: 5,
  },
  { says: 'a constant', code: `${ts}const k = 3\ntask('x', () => k)`, gives: 3 },
  {
    says: 'a name instead of a function',
    code: `${ts}const f = (a: number) => a + 1\nexport const t = task('x', f)`,
    args: [1],
    gives: 2,
  },
  { says: 'a method of an object', code: `${ts}const o = { f: () => 7 }\ntask('x', o.f)`, gives: 7 },
  { says: 'a function made by a function', code: `${ts}const mk = (k: number) => () => k\ntask('x', mk(4))`, gives: 4 },
  {
    says: 'an imported function',
    code: `${ts}import { f } from './f.mjs'\ntask('x', f)`,
    beside: { 'f.mjs': 'export const f = () => 8' },
    gives: 8,
  },
  {
    says: 'a helper that uses a helper',
    code: `${ts}task('x', () => a())\nfunction a() { return b() }\nfunction b() { return 'b' }`,
    gives: 'b',
  },
  { says: 'an enum', code: `${ts}enum E { A = 1, B = A + 1 }\ntask('x', () => E.B)`, gives: 2 },
  { says: 'a const enum', code: `${ts}const enum E { A = 5 }\ntask('x', () => E.A)`, gives: 5 },
  {
    says: 'a namespace in two parts',
    code: `${ts}namespace N { export const a = 1 }\nnamespace N { export const b = 2 }\ntask('x', () => N.a + N.b)`,
    gives: 3,
  },
  {
    says: 'generics, satisfies and assertions',
    code: `${ts}const c = { a: 1 } satisfies Record<string, number>\ntask('x', <T,>(v: T) => [v as unknown, c!.a])`,
    args: [2],
    gives: [2, 1],
  },
  {
    says: 'types of other lines',
    code: `${ts}interface A { a: number }\ntype B = typeof local\nconst local = { b: 1 }\ntask('x', (a: A, b?: typeof local): B => ({ b: a.a }))`,
    args: [{ a: 4 }],
    gives: { b: 4 },
  },
  {
    says: 'overloads',
    code: `${ts}function f(a: string): string\nfunction f(a: number): number\nfunction f(a: any) { return a }\ntask('x', () => f(1))`,
    gives: 1,
  },
  {
    says: 'an abstract class and its child',
    code: `${ts}abstract class A { abstract f(): number; g() { return this.f() } }\nclass B extends A { f() { return 6 } }\ntask('x', () => new B().g())`,
    gives: 6,
  },
  {
    says: 'decorators',
    code: `${ts}function twice(f: any, _: any) { return function (this: any, ...a: any[]) { return 2 * f.apply(this, a) } }\nclass A { @twice f() { return 4 } }\ntask('x', () => new A().f())`,
    gives: 8,
  },
  {
    says: 'parameter properties and private fields',
    code: `${ts}class A { #p = 1; constructor(readonly q: number) {} sum() { return this.#p + this.q } }\ntask('x', () => new A(2).sum())`,
    gives: 3,
  },
  { says: 'a static block', code: `${ts}class A { static n = 0; static { A.n = 9 } }\ntask('x', () => A.n)`, gives: 9 },
  {
    says: 'a configuration awaited at the top level',
    code: `${ts}const cfg = await Promise.resolve({ a: 1 })\ntask('x', () => cfg.a)`,
    gives: 1,
  },
  {
    says: 'destructuring with defaults',
    code: `${ts}const { a, b: { c = 3 } = {} as { c?: number }, ...rest } = { a: 1, d: 4 } as any\ntask('x', () => [a, c, rest])`,
    gives: [1, 3, { d: 4 }],
  },
  {
    says: 'recursion by .fn',
    code: `${ts}const fact: any = task('x', (n: number): number => (n < 2 ? 1 : n * fact.fn(n - 1)))`,
    args: [5],
    gives: 120,
  },
  {
    says: 'recursion through an object of tasks',
    code: `${ts}const tasks: any = { fact: task('x', (n: number): number => (n < 2 ? 1 : n * tasks.fact.fn(n - 1))) }`,
    args: [4],
    gives: 24,
  },
  {
    says: 'recursion that counts itself',
    code: `${ts}let calls = 0\nconst f: any = task('x', (n: number): number => { calls++; return n < 1 ? calls : f.fn(n - 1) })`,
    args: [3],
    gives: 4,
  },
  {
    says: 'a task that calls another',
    code: `${ts}const square = task('square', (n: number) => n * n, { retries: 2, retryDelayMs: later() })\nfunction later() { throw new Error('options do not travel') }\ntask('x', (n: number) => square(n))`,
    args: [3],
    gives: 9,
  },
  {
    says: 'a task defined in a task',
    code: `${ts}task('x', () => { const inner = task('inner', (n: number) => n + 1); return inner(1) })`,
    gives: 2,
  },
  {
    says: 'a task in a task, by itself',
    code: `${ts}task('outer', () => { const inner = task('x', (n: number) => n + 1); return inner(1) })`,
    args: [1],
    gives: 2,
  },
  {
    says: 'a task under a main guard',
    code: `${ts}if (process.argv[1] === 'nobody') { task('x', () => 3) }`,
    gives: 3,
  },
  {
    says: 'a task in the body of a flow',
    code: `${ts}const k = 2\nflow('f', async () => { const add = task('x', (a: number) => a + k); return add(1) })`,
    args: [1],
    gives: 3,
  },
  {
    says: 'a task in a test',
    code: `${ts}import { test } from 'tap'\ntest('adds', async t => { const add = task('x', (a: number) => a + 1); t.equal(await add(1), 2) })`,
    args: [1],
    gives: 2,
  },
  {
    says: 'a task in a class',
    code: `${ts}class A { static add = task('x', (a: number) => a + 1) }`,
    args: [1],
    gives: 2,
  },
  {
    says: 'lines that go on building',
    code: `${ts}const m = new Map()\nm.set('a', 1)\nm.set('b', m.get('a') + 1)\ntask('x', () => [...m])`,
    gives: [
      ['a', 1],
      ['b', 2],
    ],
  },
  {
    says: 'properties given later',
    code: `${ts}const cfg: any = {}\ncfg.a = 1\ncfg.b ??= { c: 2 }\ndelete cfg.a\nObject.assign(cfg, { d: 4 })\ntask('x', () => cfg)`,
    gives: { b: { c: 2 }, d: 4 },
  },
  {
    says: 'a prototype',
    code: `${ts}function A(this: any) { this.a = 1 }\nA.prototype.get = function () { return this.a }\ntask('x', () => new (A as any)().get())`,
    gives: 1,
  },
  {
    says: 'a variable that gets its value later',
    code: `${ts}let k: number\nk = 4\n;({ k } = { k: 5 })\ntask('x', () => k)`,
    gives: 5,
  },
  {
    says: 'a helper that sets variables, called at the top level',
    code: `${ts}let level = 0\nfunction configure(n: number) { level = n }\nconfigure(5)\ntask('x', () => { configure; return level })`,
    gives: 5,
  },
  {
    says: 'a memo',
    code: `${ts}let memo: number | undefined\nfunction once() { return (memo ??= 7) }\ntask('x', () => once())`,
    gives: 7,
  },
  {
    says: 'several parts of one declaration',
    code: `${ts}const a = 1, boom = fail(), b = 2\nfunction fail(): never { throw new Error('dropped') }\ntask('x', () => a + b)`,
    gives: 3,
  },
  {
    says: 'parts of one statement',
    code: `${ts}const m = new Map<string, number>(); m.set('a', 1), fail(), m.set('b', 2)\nfunction fail(): never { throw new Error('dropped') }\ntask('x', () => [...m.values()])`,
    gives: [1, 2],
  },
  {
    says: 'an import that is only run',
    code: `${ts}import './set.mjs'\ntask('x', () => (globalThis as any).setBySample)`,
    beside: { 'set.mjs': 'globalThis.setBySample = 11' },
    gives: 11,
  },
  {
    says: 'JSON',
    code: `${ts}import data from './d.json' with { type: 'json' }\ntask('x', () => data.a)`,
    beside: { 'd.json': '{ "a": 12 }' },
    gives: 12,
  },
  {
    says: 'a dynamic import',
    code: `${ts}task('x', async () => (await import('./f.mjs')).f())`,
    beside: { 'f.mjs': 'export const f = () => 13' },
    gives: 13,
  },
  {
    says: 'modules that import each other',
    code: `${ts}import { a } from './a.mjs'\ntask('x', () => a())`,
    beside: {
      'a.mjs': "import { b } from './b.mjs'\nexport const a = () => b() + 1",
      'b.mjs': "import { a } from './a.mjs'\nexport const b = () => (a ? 1 : 0)",
    },
    gives: 2,
  },
  { says: 'a package', code: `${ts}import { nanoid } from 'nanoid'\ntask('x', () => nanoid().length)`, gives: 21 },
  { says: 'a builtin without its prefix', code: `${ts}import { sep } from 'path'\ntask('x', () => sep)`, gives: '/' },
  {
    says: 'using',
    code: `${ts}const open = () => ({ [Symbol.dispose]() {}, value: 3 })\ntask('x', () => { using r = open(); return r.value })`,
    gives: 3,
  },
  {
    says: 'a class that only a name check asks for',
    code: `${ts}task('x', () => (typeof window === 'undefined' ? 'node' : window.name))`,
    gives: 'node',
  },
  { says: 'an alias of task', code: `import { task as t } from 'mintaka'\nt('x', () => 1)`, gives: 1 },
  { says: 'all of Mintaka under one name', code: `import * as m from 'mintaka'\nm.task('x', () => 1)`, gives: 1 },
  {
    says: 'Mintaka imported when it is needed',
    code: `const { task } = await import('mintaka')\ntask('x', () => 1)`,
    gives: 1,
  },
  {
    says: 'task passed on by a file of the user',
    code: `import { task } from './lib.mjs'\ntask('x', () => 1)`,
    beside: { 'lib.mjs': "export { task } from 'mintaka'" },
    gives: 1,
  },
  { says: 'a template without holes as name', code: `${ts}task(\`x\`, () => 1)`, gives: 1 },
  {
    says: 'another function of that name, elsewhere',
    code: `${ts}task('x', () => 1)\nfunction f(task: any) { task('x', () => 2) }`,
    gives: 1,
  },
  {
    says: 'a default export',
    code: `${ts}export default task('x', () => helper())\nexport function helper() { return 1 }`,
    gives: 1,
  },
  {
    says: 'a class exported by default',
    code: `${ts}export default class A { f() { return 3 } }\ntask('x', () => new A().f())`,
    gives: 3,
  },
  {
    says: 'an iterator',
    code: `${ts}function* upTo(n: number) { for (let i = 0; i < n; i++) yield i }\ntask('x', (n: number) => [...upTo(n)])`,
    args: [3],
    gives: [0, 1, 2],
  },
  { says: 'names with accents and emoji', code: `${ts}const größe = '👍🏽'\ntask('x', () => größe)`, gives: '👍🏽' },
  {
    says: 'Windows line ends, a byte order mark and a hashbang',
    code: `\uFEFF#!/usr/bin/env node\r\nimport { task } from 'mintaka'\r\nconst a =\r\n  1\r\ntask('x', () => a)\r\n`,
    file: 'main.mjs',
    gives: 1,
  },
  {
    says: 'no semicolons where it is dangerous',
    code: `${ts}const a = [1]\nconst b = a\n;[2].forEach(n => String(n))\ntask('x', () => b)\n`,
    gives: [1],
    warnings: [],
  },
  {
    says: 'JSX',
    code: `import React from './h.mjs'\nimport { task } from 'mintaka'\nexport const t = task('x', (n: number) => <b id="1">{n}</b>)`,
    file: 'main.tsx',
    beside: { 'h.mjs': 'export default { createElement: (...a) => a }' },
    args: [2],
    gives: ['b', { id: '1' }, 2],
  },
  {
    says: 'its place',
    code: `${ts}import { sep } from 'node:path'\ntask('x', () => [import.meta.url, import.meta.dirname, import.meta.filename].map(p => p!.split(sep).at(-1)))`,
    gives: ['main.mts', 'FOLDER', 'main.mts'],
  },
  {
    says: 'the place of another file',
    code: `${ts}import { where } from './sub/where.mjs'\ntask('x', () => where)`,
    beside: {
      'sub/where.mjs':
        "/* import.meta.url */ export const where = [import.meta.url.split('/').at(-1), 'import.meta.url'] ",
    },
    gives: ['where.mjs', 'import.meta.url'],
  },
  {
    says: 'a file next to the source',
    code: `${ts}import { readFileSync } from 'node:fs'\ntask('x', () => readFileSync(new URL('./d.txt', import.meta.url), 'utf8'))`,
    beside: { 'd.txt': 'here' },
    gives: 'here',
  },
  {
    says: 'a require of its own',
    code: `${ts}import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)\ntask('x', () => require('./d.json').a)`,
    beside: { 'd.json': '{ "a": 3 }' },
    gives: 3,
  },
  {
    says: 'an own __dirname',
    code: `${ts}import { dirname, basename } from 'node:path'\nimport { fileURLToPath } from 'node:url'\nconst __dirname = dirname(fileURLToPath(import.meta.url))\ntask('x', () => basename(__dirname))`,
    gives: 'FOLDER',
  },
  {
    says: 'a client with a method called set',
    code: `${ts}const client = make()\nfunction make() { return { set() {}, get: () => 1 } }\nflow('f', async () => { client.set() })\ntask('x', () => client.get())`,
    gives: 1,
    warnings: [],
  },
  { says: 'the subpath of a package', code: `import { task } from 'mintaka/testing'\ntask('x', () => 1)`, gives: 1 },
  {
    says: 'CommonJS',
    file: 'main.cjs',
    code: `const { task } = require('mintaka')\nconst { join } = require('path')\ntask('x', () => join('a', 'b'))`,
    gives: 'a/b',
  },
  {
    says: 'CommonJS with all of Mintaka',
    file: 'main.cjs',
    code: `'use strict'\nconst lib = require('mintaka')\nconst other = require('./other.cjs')\nlib.task('x', () => other.a + require('./other.cjs').a)`,
    beside: { 'other.cjs': 'exports.a = 2' },
    gives: 4,
  },
  {
    says: 'CommonJS as tsc writes it',
    file: 'main.cjs',
    code: `"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\nexports.t = exports.K = void 0;\nexports.helper = helper;\nconst mintaka_1 = require("mintaka");\nconst nanoid_1 = require("node:path");\nexports.K = 5;\nfunction helper() { return (0, nanoid_1.basename)('/a/b') }\nexports.t = (0, mintaka_1.task)('x', () => [exports.K, helper(), module.exports.K]);`,
    gives: [5, 'b', 5],
  },
  {
    says: 'recursion as tsc writes it',
    file: 'main.cjs',
    code: `"use strict";\nexports.fact = void 0;\nconst mintaka_1 = require("mintaka");\nexports.fact = (0, mintaka_1.task)('x', (n) => n < 2 ? 1 : n * exports.fact.fn(n - 1));`,
    args: [4],
    gives: 24,
  },
  {
    says: 'CommonJS with its place',
    file: 'main.cjs',
    code: `const { task } = require('mintaka')\nconst { basename } = require('path')\ntask('x', () => [basename(__filename), basename(__dirname), typeof require.resolve('./o.cjs'), require('./o.cjs')])`,
    beside: { 'o.cjs': "module.exports = require('path').basename(__filename)" },
    gives: ['main.cjs', 'FOLDER', 'string', 'o.cjs'],
  },
  {
    says: 'a computed require',
    file: 'main.cjs',
    code: `const { task } = require('mintaka')\ntask('x', name => require(name).sep)`,
    args: ['node:path'],
    gives: '/',
  },
  {
    says: 'a return at the top level',
    file: 'main.cjs',
    code: `const { task } = require('mintaka')\ntask('x', () => 1)\nif (require.main !== module) return\nthrow new Error('run')`,
    gives: 1,
  },
  {
    says: 'module.exports',
    file: 'main.cjs',
    code: `const { task } = require('mintaka')\nmodule.exports = { two: () => 2 }\ntask('x', () => module.exports.two())`,
    gives: 2,
  },
  {
    says: 'a bundle of esbuild',
    file: 'main.js',
    code: `var a=1,b=boom(),t=require("mintaka"),c={};c.d=2,boom();var x=(0,t.task)("x",r=>r+a+c.d);function boom(){throw 1}`,
    args: [1],
    gives: 4,
  },
  {
    says: 'a file without an extension',
    file: 'script',
    code: `#!/usr/bin/env node\nconst { task } = require('mintaka')\ntask('x', () => 1)`,
    gives: 1,
  },
  {
    says: 'what the file adds to the language',
    code: `${ts}BigInt.prototype.toJSON = function () { return 'n' + this }\nObject.defineProperty(Array.prototype, 'last', { get() { return this.at(-1) } })\ntask('x', () => JSON.stringify([1n, ([2] as any).last]))`,
    gives: '["n1",2]',
  },
  {
    says: 'a task in a class that uses the class',
    code: `${ts}class A { static t = task('x', () => A.k); static k = 4 }`,
    gives: 4,
  },
  {
    says: 'a task in a namespace that uses the namespace',
    code: `${ts}namespace N { export const t = task('x', () => N.k); export const k = 4 }`,
    gives: 4,
  },
  {
    says: 'a file of a strange name',
    file: 'a b#c?d.mts',
    code: `${ts}const k = 1\ntask('x', () => [k, import.meta.filename!.endsWith('a b#c?d.mts')])`,
    gives: [1, true],
  },
  {
    says: 'imports of TypeScript for CommonJS',
    file: 'main.cts',
    code: `import m = require('mintaka')\nimport p = require('node:path')\nm.task('x', () => p.sep)`,
    gives: '/',
  },
  {
    says: 'options that are not plain to see',
    code: `${ts}const options = { retries: 1 }\ntask('x', () => 1, options)`,
    gives: 1,
  },
]

for (const { says, code, file = 'main.mts', beside = {}, args = [], gives, warnings = [] } of samples) {
  test(`a slice carries ${says}`, async t => {
    const folder = t.testdir({ [file]: code, 'tsconfig.json': '{}' })
    for (const [name, text] of Object.entries(beside)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const shipment = await ship(taskIn(join(folder, file), 'x'))
    const run = await load(shipment)
    const given = JSON.stringify(await run(...args))
    t.equal(given.replaceAll(folder.split('/').at(-1)!, 'FOLDER'), JSON.stringify(gives))
    t.strictSame(shipment.warnings, warnings)
  })
}
