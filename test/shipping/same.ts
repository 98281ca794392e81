import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'tap'
import { isMintakaError } from '../../lib/core/errors.js'
import { Random } from '../fixtures/random.js'
import { door, shipped, shippedFar, source } from './fixtures/ship.js'

/**
 * A program of declarations, set-up lines, helpers and tasks that lean on each other at random. Its flow is never
 * called, so what it changes is what a slice may refuse but never get wrong.
 */
function program(seed: number): { code: string; tasks: string[] } {
  const random = new Random(seed)
  const pick = <T>(items: readonly T[]): T => random.of(items)
  const lines: string[] = []
  const tasks: string[] = []
  const names: string[] = []
  const known = () => (names.length > 0 ? `read(${pick(names)})` : '1')
  const value = () =>
    pick([String(random.below(9)), known(), `${known()} + ${known()}`, `[${known()}, ${random.below(9)}]`])
  const kinds: ((name: string) => string)[] = [
    name => `const ${name} = ${value()}`,
    name => `let ${name} = ${value()}\n${name} = [${name}, ${value()}]`,
    name => `const ${name} = { a: ${value()} }\n${name}.b = ${value()}`,
    name => `const ${name} = new Map([['k', ${value()}]])\n${name}.set('l', ${value()})`,
    name => `const ${name} = [${value()}], ${name}z = ${value()}\n${name}.push(${name}z), ${name}.push(${value()})`,
    name => `function ${name}() { return ${value()} }`,
    name => `const ${name} = () => ${value()}`,
    name =>
      `class ${name} { static s = ${value()}; get() { return ${value()} } }\n${name}.prototype.more = () => ${value()}`,
    name => `let ${name}\nif (${random.below(2)}) ${name} = ${value()}`,
    name => `var ${name} = ${value()}\n{ let ${name} = 5; void ${name} }`,
    name => `const { a: ${name} = ${value()} } = { a: ${pick(['undefined', value()])} }`,
    name => `let ${name} = 0\nfunction up${name}() { return ++${name} }\nup${name}()`,
    name => `export const ${name} = task('${name}', () => ${value()})`,
  ]
  const noise = () =>
    pick([
      `void ${value()}`,
      `if (${random.below(2)}) { const k = ${value()}; void k }`,
      `flow('f${lines.length}', () => { ${names.length > 0 ? `void ${pick(names)}` : ''} })`,
      `for (const i of [1, 2]) void [i, ${value()}]`,
    ])
  for (let index = 0; index < 4 + random.below(12); index++) {
    const name = `v${index}`
    lines.push(pick(kinds)(name), ...(random.below(3) === 0 ? [noise()] : []))
    names.push(name)
    if (random.below(3) > 0) continue
    tasks.push(`t${index}`)
    const task = `task('t${index}', () => [${value()}, ${value()}])`
    lines.push(pick([task, `const t${index} = ${task}`, `{ ${task} }`, `if (true) { if (true) ${task} }`]))
  }
  return { code: `${prelude}\n${lines.join('\n')}\n`, tasks }
}

/** `read` makes a plain value of whatever a name holds. */
const prelude = `import { task, flow } from 'mintaka'
function read(v) {
  if (typeof v?.fn === 'function') return v.fn()
  if (typeof v === 'function') return /^class/.test(v.toString()) ? [v.s, new v().get(), new v().more()] : v()
  return v instanceof Map ? [...v] : v
}`

test('whatever a slice gives is what the file gives at home', async t => {
  const first = Number(process.env['SEED'] ?? 1)
  const folder = t.testdir({
    // so that the file's 'mintaka' is not the package around this folder
    'package.json': '{}',
    node_modules: {
      mintaka: {
        'package.json': '{ "type": "module", "exports": "./index.js" }',
        'index.js': "export const { task, flow } = globalThis[Symbol.for('mintaka.at-home')]",
      },
    },
  })
  const cache = join(folder, 'cache')
  const home = new Map<string, () => unknown>()
  const task = (name: string, fn: () => unknown) => {
    home.set(name, fn)
    return door.task(name, fn)
  }
  Object.assign(globalThis, { [Symbol.for('mintaka.at-home')]: { ...door, task } })
  let [same, refused] = [0, 0]
  for (let seed = first; seed < first + 60; seed++) {
    const { code, tasks } = program(seed)
    const path = source(folder, `p${seed}.mjs`, code)
    home.clear()
    await import(pathToFileURL(join(folder, `p${seed}.mjs`)).href)
    for (const name of tasks) {
      const fn = await shipped(path, name).catch((error: unknown) => error)
      const far = await shippedFar(path, name, cache).catch((error: unknown) => error)
      if (typeof fn !== 'function' || typeof far !== 'function') {
        if (!isMintakaError(fn, 'STALE_VARIABLE')) t.fail(`seed ${seed}, task ${name}: ${fn}`, { code })
        if (!isMintakaError(far, 'STALE_VARIABLE')) t.fail(`seed ${seed}, task ${name}, far: ${far}`, { code })
        refused++
        continue
      }
      const here = JSON.stringify(home.get(name)!())
      for (const there of [fn(), far()].map(value => JSON.stringify(value)))
        if (there !== here) t.equal(there, here, `seed ${seed}, task ${name}`, { code })
      same++
    }
  }
  t.ok(same > 60, `${same} the same, ${refused} refused`)
  t.ok(refused < same, `${same} the same, ${refused} refused`)
})
