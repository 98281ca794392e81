/** One script, run in every way that people run scripts: its task code travels, and its top level stays at home. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildSync, transformSync } from 'esbuild'
import { t as tap, test } from 'tap'
import { installIn, linesOf, lineWith, root, runNode } from './fixtures/project.js'

tap.setTimeout(600_000)

const written = (name: string) => readFileSync(join(root, 'test/fixtures/loaders', name), 'utf8')
const script = written('report.ts')
const helper = written('prices.ts')

function javaScript(text: string): string {
  return transformSync(text, { loader: 'ts', target: 'node20' }).code
}

function commonJs(text: string): string {
  const exported = [...text.matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name)
  const code = javaScript(text)
    .replace(/^import \{ (.*) \} from (.*);$/gm, 'const { $1 } = require($2);')
    .replaceAll('.js"', '.cjs"')
    .replace(/^export (?=const|function)/gm, '')
    .replace('await main();', 'if (require.main === module) main();')
  return `${code}module.exports = { ${exported.join(', ')} };\n`
}

const callsItself = 'await main()'
const testsItself = "test('the script gives its answer', () => main())"
function testFile(text: string, framework: string): string {
  return `import { test } from '${framework}'\n${text.replace(callsItself, testsItself)}`
}

const tsconfig = JSON.stringify({
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    sourceMap: true,
    outDir: 'dist',
  },
  files: ['report.ts'],
})

const folder = installIn(
  tap.testdir({
    'package.json': '{ "type": "module" }',
    'tsconfig.json': tsconfig,
    'report.ts': script,
    'prices.ts': helper,
    'stripped.ts': script.replace('./prices.js', './prices.ts'),
    'tap.ts': testFile(script, 'tap'),
    'vitest.test.ts': testFile(script, 'vitest'),
    commonjs: { 'package.json': '{}', 'report.ts': script.replace(callsItself, 'void main()'), 'prices.ts': helper },
    js: {
      'report.mjs': javaScript(script),
      'prices.js': javaScript(helper),
      'report.cjs': commonJs(script),
      'prices.cjs': commonJs(helper),
      'tap.mjs': testFile(javaScript(script), 'tap'),
    },
    runs: {},
  }),
)
const at = (path: string) => join(folder, path)
const tool = (path: string) => join(root, 'node_modules', path)

const compiled = await runNode([tool('typescript/bin/tsc'), '-p', '.'], { cwd: folder })
if (compiled.code !== 0) throw new Error(compiled.stdout)

for (const minify of [false, true]) {
  buildSync({
    entryPoints: [at('report.ts')],
    outfile: at(minify ? 'bundled/minified.js' : 'bundled/whole.js'),
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    sourcemap: true,
    minify,
  })
}

interface Way {
  readonly name: string
  /** What Node is told. */
  readonly args: readonly string[]
  /** Where the user wrote what runs. */
  readonly file: string
  readonly helper?: string
  readonly cwd?: string
  /** The first version of Node that can do it. */
  readonly from?: number
}

const ways: Way[] = [
  { name: 'a .mjs script', args: ['report.mjs'], cwd: 'js', file: 'report.mjs', helper: 'prices.js' },
  { name: 'a .cjs script', args: ['report.cjs'], cwd: 'js', file: 'report.cjs', helper: 'prices.cjs' },
  { name: 'a .ts script under tsx', args: ['--import', 'tsx', 'report.ts'], file: 'report.ts' },
  { name: 'a .ts script under the tsx command', args: [tool('tsx/dist/cli.mjs'), 'report.ts'], file: 'report.ts' },
  { name: 'CommonJS in .ts under tsx', args: ['--import', 'tsx', 'report.ts'], file: 'report.ts', cwd: 'commonjs' },
  {
    name: 'a .ts script of which Node takes the types away',
    args: ['--experimental-transform-types', '--no-warnings', 'stripped.ts'],
    file: 'stripped.ts',
    helper: 'prices.ts',
    from: 24,
  },
  { name: 'what tsc made of it', args: ['dist/report.js'], file: 'report.ts' },
  { name: 'a bundle of it', args: ['bundled/whole.js'], file: 'report.ts' },
  { name: 'a minified bundle of it', args: ['bundled/minified.js'], file: 'report.ts' },
  { name: 'a tap file run by itself', args: ['tap.mjs'], cwd: 'js', file: 'tap.mjs', helper: 'prices.js' },
  {
    name: 'a .ts file run by tap',
    args: [
      tool('tap/dist/esm/run.mjs'),
      '--disable-coverage',
      '--reporter=tap',
      '--plugin=!@tapjs/typescript',
      '--node-arg=--import=@tapjs/typescript/import',
      'tap.ts',
    ],
    file: 'tap.ts',
  },
  {
    name: 'a .ts file run by vitest',
    args: [tool('vitest/vitest.mjs'), 'run', '--root', '.', 'vitest.test.ts'],
    file: 'vitest.test.ts',
  },
]

/** Nodes to run everything with: this one, and of the versions that must work those that this one is not. */
const nodes = findNodes()
function findNodes(): { major: number; path: string }[] {
  const [own] = process.versions.node.split('.').map(Number)
  const others = [20, 24].filter(major => major !== own)
  return [{ major: own!, path: process.execPath }, ...others.flatMap(major => install(major) ?? [])]
}

function install(major: number): { major: number; path: string } | undefined {
  try {
    const args = [join(root, 'scripts/with-node.mjs'), String(major)]
    return { major, path: execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }).trim() }
  } catch (error) {
    if (process.env['CI']) throw error
    tap.test(`Node ${major} runs the same`, { skip: 'it could not be installed' }, () => {})
    return undefined
  }
}

let runs = 0
async function run({ args, cwd = '.' }: { args: readonly string[]; cwd?: string | undefined }, node: string) {
  const home = at(`runs/${++runs}`)
  const env = { MINTAKA_HOME: `${home}-home`, WITNESS: `${home}-witness`, ANSWER: `${home}-answer` }
  const ended = await runNode(args, { cwd: at(cwd), node, env })
  const answer = linesOf(env.ANSWER).map(text => JSON.parse(text) as Answer)[0]
  return { ...ended, witness: linesOf(env.WITNESS), answer }
}

interface Answer {
  readonly answer: unknown
  readonly errors: readonly { readonly name: string; readonly message: string; readonly stack: string }[]
}

const total = { total: 19, onThreads: true }
const inScript = 'throw new RangeError('
const inHelper = 'throw new Error('

for (const { major, path: node } of nodes) {
  for (const way of ways.filter(({ from = 0 }) => major >= from)) {
    test(`Node ${major} runs ${way.name}`, async t => {
      const { code, stdout, stderr, witness, answer } = await run(way, node)
      if (!t.equal(code, 0)) t.comment(stdout, stderr)
      t.strictSame(answer?.answer, total)
      t.strictSame(witness, ['loaded', 'flow', ...Array(4).fill('priced'), 'answered'], 'no thread ran the top level')
      const [first, second] = answer?.errors ?? []
      t.match(first, { name: 'RangeError', message: 'there is no price for -1' })
      t.match(second, { name: 'Error', message: 'there are no 1000' })
      t.match(first?.stack, placeOf(inScript, way.file, way.cwd))
      t.match(second?.stack, placeOf(inHelper, way.helper ?? 'prices.ts', way.cwd))
    })
  }
}

const mintaka = at('node_modules/mintaka/dist/lib/cli/bin.js')
const forCli: Pick<Way, 'name' | 'file' | 'cwd'>[] = [
  { name: 'report.mjs', file: 'report.mjs', cwd: 'js' },
  { name: 'report.cjs', file: 'report.cjs', cwd: 'js' },
  { name: 'report.ts', file: 'report.ts' },
  { name: 'report.ts as CommonJS', file: 'report.ts', cwd: 'commonjs' },
  { name: 'dist/report.js', file: 'report.ts' },
]

for (const { major, path: node } of nodes) {
  for (const { name, file, cwd } of forCli) {
    const [script] = name.split(' ')
    const cli = (...args: string[]) => run({ args: [mintaka, ...args], cwd }, node)

    test(`Node ${major}: mintaka run runs a flow of ${name}, and not its top-level call`, async t => {
      const { code, stdout, stderr, witness, answer } = await cli('run', `${script}:report`)
      if (!t.equal(code, 0)) t.comment(stderr)
      t.strictSame(JSON.parse(stdout), total)
      t.strictSame(witness, ['loaded', 'flow', 'priced', 'priced'])
      t.equal(answer, undefined)
    })

    test(`Node ${major}: mintaka run shows where a task of ${name} threw`, async t => {
      const { code, stdout, stderr, witness } = await cli('run', `${script}:wrong`, '--params', '{ "count": -1 }')
      t.equal(code, 1)
      t.equal(stdout, '')
      t.match(stderr, 'there is no price for -1')
      t.match(stderr, placeOf(inScript, file, cwd))
      t.strictSame(witness, ['loaded', 'priced'])
    })

    test(`Node ${major}: mintaka check says that the tasks of ${name} can travel, and runs nothing`, async t => {
      const { code, stdout, stderr, witness, answer } = await cli('check', script!)
      if (!t.equal(code, 0)) t.comment(stdout, stderr)
      t.match(stdout, /^ok .*price\nok .*add\n$/)
      t.strictSame(witness, [])
      t.equal(answer, undefined)
    })
  }
}

/** As stacks have it: no other file of that name will do. */
function placeOf(text: string, file: string, cwd = '.'): string {
  const path = join(at(cwd), file)
  return `${basename(root)}${path.slice(root.length - 1)}:${lineWith(text, path)}:`
}
