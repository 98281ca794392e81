// What the documents tell their readers to write, to type and to expect is so.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nextOccurrences, type Schedule } from 'mintaka'
import { type Test, test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { specEntries } from '../dist/lib/cli/load/yaml.js'
import { main } from '../dist/lib/cli/main.js'
import { commandsOf, mintakaCommand, missingFor } from './fixtures/docs/commands.js'
import { type Block, blocksOf, pages, sources } from './fixtures/docs/pages.js'
import { programsOf } from './fixtures/docs/printed.js'
import { modulesOf, typeErrors } from './fixtures/docs/type-check.js'

const blocks = pages().map(blocksOf)
const blocksIn = (language: string) => blocks.flat().filter(block => block.language === language)
const commands = pages().flatMap(commandsOf)
const placeOf = ({ page, line }: Block) => `${page}:${line}`

test('every block of code says what it is', async t => {
  const known = ['ts', 'sh', 'console', 'json', 'yaml', 'mermaid', 'dockerfile', 'python', 'text']
  t.strictSame(
    blocks
      .flat()
      .filter(({ language }) => !known.includes(language))
      .map(placeOf),
    [],
  )
})

test('what documents and docstrings show in TypeScript compiles in the project of a user', async t => {
  const inPages = blocks.map(ofPage => ofPage.filter(({ language }) => language === 'ts'))
  t.strictSame(typeErrors([...inPages, ...inDocstrings()]), [])
})

/** Those of a file, after what they are about: docstrings have no place for that. */
function inDocstrings(): Block[][] {
  const code = `
    import { executorSuite, simulatedClock } from 'mintaka/testing'
    declare const report: Flow<[{ year: number }], number>
    declare const nightly: Flow<[], void>
    declare const daily: Deployment, hourly: Deployment, signal: AbortSignal
    declare const load: (year: number) => Promise<number[]>
    declare const summarise: (rows: number[]) => number
    declare const MyExecutor: new () => Executor
    declare const startMyCluster: () => Promise<{ address: string; stop: () => Promise<void> }>`
  const shown = sources().map(blocksOf)
  return shown.flatMap(([first, ...rest]) => (first ? [[{ ...first, line: 0, code }, first, ...rest]] : []))
}

test('programs that say what they print do print it', async t => {
  const programs = programsOf(blocks.flat())
  const said = programs.flatMap(({ block, prints }) => [placeOf(block), ...prints])
  const main = programs.map(({ block }, index) => `console.log('${placeOf(block)}')\nawait import('./${index}.ts')`)
  const files = programs.map(({ block }, index) => [`${index}.ts`, block.code])
  t.strictSame((await output(t, main, Object.fromEntries(files))).trimEnd().split('\n'), said)
})

test('tests that stand in pages pass', async t => {
  const areTests = (ofPage: readonly Block[]) => ofPage.some(({ code }) => code.includes("from 'node:test'"))
  const folders = blocks.filter(areTests).map(ofPage => {
    const modules = modulesOf(ofPage.filter(({ language }) => language === 'ts'))
    return Object.fromEntries(modules.map(({ fileName, text }) => [fileName, text]))
  })
  const main = folders.flatMap((files, page) => Object.keys(files).map(name => `import './${page}/${name}'`))
  t.match(await output(t, main, Object.fromEntries(folders.entries())), 'a lost worker is tried again')
})

test('JSON and YAML can be read', async t => {
  for (const block of blocksIn('json')) t.doesNotThrow(() => JSON.parse(block.code), placeOf(block))
  for (const block of blocksIn('yaml')) {
    t.strictSame(
      parseAllDocuments(block.code).flatMap(({ errors }) => errors),
      [],
      placeOf(block),
    )
  }
})

test('deployments in YAML could be created', async t => {
  for (const block of blocksIn('yaml').filter(({ code }) => /^[- ]*flow: /m.test(code))) {
    for (const entry of specEntries(placeOf(block), block.code)) {
      const { schedule } = entry.read().options
      if (schedule !== undefined) t.equal(nextOccurrences(schedule as Schedule, Date.now(), 1).length, 1, entry.label)
    }
  }
})

test('every command of mintaka is there, with its options', async t => {
  const wrong: string[] = []
  const asked = new Map<string, Help>()
  for (const { page, text } of commands) {
    const command = mintakaCommand(text)
    if (!command) continue
    const words = command.words.join(' ')
    if (!asked.has(words)) asked.set(words, await helpOf(t, command.words))
    const { verb, isGroup, help } = asked.get(words) as Help
    const isThere = verb !== undefined && (!isGroup || verb === words)
    const strange = command.options.filter(option => !new RegExp(`(^|\\s)${option}\\b`).test(help))
    if (!isThere) wrong.push(`${page}: ${text}: there is no such verb`)
    else if (strange.length > 0) wrong.push(`${page}: ${text}: there is no ${strange.join(', ')}`)
  }
  t.strictSame(wrong, [])
})

test('every script and every file that is to be run is there', async t => {
  const wrong = commands.map(({ page, text }) => ({ page, text, missing: missingFor(text) }))
  t.strictSame(
    wrong.filter(({ missing }) => missing !== undefined),
    [],
  )
})

/** What a program prints that has a folder and a store of its own. Rejects if it fails. */
async function output(t: Test, main: readonly string[], files: Record<string, string | Record<string, string>>) {
  const folder = t.testdir({ ...files, 'main.ts': main.join('\n'), 'tsconfig.json': '{}' })
  const env = { PATH: process.env['PATH'], MINTAKA_HOME: join(folder, 'home'), MINTAKA_LOG: 'silent' }
  const args = ['--import', import.meta.resolve('tsx'), join(folder, 'main.ts')]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env })
  return stdout
}

interface Help {
  /** The words of the verb that was understood. */
  readonly verb: string | undefined
  readonly isGroup: boolean
  readonly help: string
}

/** What the command line says about itself, asked as people ask it. */
async function helpOf(t: Test, words: readonly string[]): Promise<Help> {
  const written = t.capture(process.stdout, 'write', () => true)
  const ignored = t.capture(process.stderr, 'write', () => true)
  const code = await main([...words, '--help'])
  written.restore()
  ignored.restore()
  const help = written()
    .map(({ args }) => String(args[0]))
    .join('')
  const [, verb, rest = ''] = /^Usage: mintaka((?: [a-z-]+)*)(.*)$/m.exec(help) ?? []
  return { verb: code === 0 ? verb?.trim() : undefined, isGroup: rest.includes('[command]'), help }
}
