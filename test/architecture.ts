import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor } from 'oxc-parser'
import { test } from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

// Imports go down only. Per floor: the floors that its files may import besides their own, and whether packages and
// node's own modules may be imported there.
interface Floor {
  readonly imports: readonly string[]
  readonly packages: boolean
  readonly node: boolean
}
const floors: Record<string, Floor> = {
  'lib/core': { imports: [], packages: false, node: false },
  'lib/values': { imports: ['lib/core'], packages: false, node: true },
  'lib/store': { imports: ['lib/core'], packages: true, node: true },
  'lib/shipping': { imports: ['lib/core', 'lib/values'], packages: true, node: true },
  'lib/threads': { imports: ['lib/core', 'lib/values'], packages: true, node: true },
  'lib/dask': { imports: ['lib/core', 'lib/values'], packages: true, node: true },
  'lib/engine': { imports: ['lib/core', 'lib/values'], packages: true, node: true },
  'lib/executors': {
    imports: ['lib/core', 'lib/values', 'lib/shipping', 'lib/threads', 'lib/dask'],
    packages: true,
    node: true,
  },
  'lib/testing': { imports: ['lib/core', 'lib/values'], packages: true, node: true },
  'lib/deployments': {
    imports: ['lib/flow.ts', 'lib/shipping/locate.ts', 'lib/core', 'lib/values', 'lib/engine'],
    packages: true,
    node: true,
  },
  'lib/cli': {
    imports: [
      'lib/create-engine.ts',
      'lib/default-engine.ts',
      'lib/flow.ts',
      'lib/core',
      'lib/values',
      'lib/dask',
      'lib/deployments',
      'lib/engine',
      'lib/executors',
      'lib/shipping',
      'lib/store',
    ],
    packages: true,
    node: true,
  },
  lib: {
    imports: ['lib/core', 'lib/values', 'lib/store', 'lib/shipping', 'lib/engine', 'lib/executors', 'lib/deployments'],
    packages: true,
    node: true,
  },
  workers: { imports: ['lib/core', 'lib/values', 'lib/threads', 'lib/dask'], packages: true, node: true },
}

interface Import {
  readonly file: string
  readonly specifier: string
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return entries.filter(name => name.endsWith('.ts')).map(name => `${folder}/${name.split(sep).join('/')}`)
}

/** Every specifier of a file: static, dynamic, re-exported, of types, of values. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const { module, errors, program } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const typeImports: string[] = []
  new Visitor({ TSImportType: ({ source }) => void typeImports.push(source.value) }).visit(program)
  const specifiers = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) => entries.map(({ moduleRequest }) => moduleRequest?.value)),
    ...module.dynamicImports.map(({ moduleRequest }) => literal(text.slice(moduleRequest.start, moduleRequest.end))),
    ...typeImports,
  ]
  return specifiers.filter(value => value !== undefined).map(specifier => ({ file, specifier }))
}

function literal(source: string): string | undefined {
  return /^['"](.*)['"]$/.exec(source)?.[1]
}

function floorOf(path: string): string {
  if (path.startsWith('workers/')) return 'workers'
  const [, folder, ...rest] = path.split('/')
  return rest.length > 0 ? `lib/${folder}` : 'lib'
}

/** The file that a relative specifier names, from the root. */
function target({ file, specifier }: Import): string {
  const path = relative(root, join(root, dirname(file), specifier))
    .split(sep)
    .join('/')
  return path.replace(/\.js$/, '.ts')
}

const files = [...filesOf('lib'), ...filesOf('workers')]
const all = files.flatMap(importsOf)
const isRelative = ({ specifier }: Import) => specifier.startsWith('.')
const show = ({ file, specifier }: Import) => `${file} imports ${specifier}`

test('every folder is a floor', async t => {
  t.strictSame([...new Set(files.map(floorOf))].sort(), Object.keys(floors).sort())
})

for (const [name, floor] of Object.entries(floors)) {
  const mine = all.filter(({ file }) => floorOf(file) === name)

  test(`${name} imports down only`, async t => {
    const wrong = mine.filter(isRelative).filter(found => {
      const path = target(found)
      return floorOf(path) !== name && !floor.imports.includes(floorOf(path)) && !floor.imports.includes(path)
    })
    t.strictSame(wrong.map(show), [])
  })

  test(`${name} imports ${floor.packages ? 'packages' : 'no packages'} and ${floor.node ? "node's own modules" : 'nothing of node'}`, async t => {
    const outside = mine.filter(found => !isRelative(found))
    const isNode = ({ specifier }: Import) => specifier.startsWith('node:')
    if (!floor.node) t.strictSame(outside.filter(isNode).map(show), [])
    if (!floor.packages) t.strictSame(outside.filter(found => !isNode(found)).map(show), [])
    t.ok(mine.length > 0)
  })
}

// Lines, journals of lines, histories of what journals have told: each step of the store stands on those before it.
const storeSteps = ['lib/store/lines', 'lib/store/journal', 'lib/store/history']
const storeGround = ['lib/store/files.ts', 'lib/store/process-id.ts']

test('within the store imports go down only', async t => {
  const wrong = storeSteps.flatMap((step, index) => {
    const below = storeSteps.slice(0, index + 1)
    const isBelow = (path: string) => below.includes(dirname(path)) || storeGround.includes(path)
    const mine = all.filter(found => dirname(found.file) === step && isRelative(found))
    t.ok(mine.length > 0, step)
    return mine.filter(found => floorOf(target(found)) === 'lib/store' && !isBelow(target(found)))
  })
  t.strictSame(wrong.map(show), [])
})

test('packages that are imported are dependencies', async t => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object }
  const names = all
    .filter(found => !isRelative(found) && !found.specifier.startsWith('node:'))
    .map(found => ({
      ...found,
      name: found.specifier
        .split('/')
        .slice(0, found.specifier.startsWith('@') ? 2 : 1)
        .join('/'),
    }))
  t.strictSame(names.filter(({ name }) => name !== 'mintaka' && !(name in dependencies)).map(show), [])
})

test('lib reaches workers by URL only', async t => {
  t.strictSame(
    all
      .filter(found => isRelative(found) && found.file.startsWith('lib/') && target(found).startsWith('workers/'))
      .map(show),
    [],
  )
})

test('every relative import names a file that is there', async t => {
  const there = new Set(files)
  t.strictSame(
    all.filter(found => isRelative(found) && found.specifier.endsWith('.js') && !there.has(target(found))).map(show),
    [],
  )
})

test('only the surroundings know the time, chance and names: no other file of core and engine asks', async t => {
  const asking = [...filesOf('lib/core'), ...filesOf('lib/engine')].filter(file =>
    /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)/.test(readFileSync(join(root, file), 'utf8')),
  )
  t.strictSame(asking.sort(), ['lib/core/in-place.ts', 'lib/engine/logger.ts', 'lib/engine/surroundings.ts'])
})
