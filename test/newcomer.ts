// A newcomer's path: what the README tells to do, from a clone of the repository to a flow that has run on schedule.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Test, t as tap, test } from 'tap'
import { type Block, blocksOf, pages } from './fixtures/docs/pages.js'

tap.setTimeout(240_000) // some ten processes, one after the other, on whatever machine this is

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

/** The blocks of the section of the README that is the path. */
function path(): readonly Block[] {
  const readme = pages().find(({ name }) => name === 'README.md')
  const section = /^## On a schedule\n.*?(?=^## )/ms.exec(readme?.text ?? '')?.[0] ?? ''
  return blocksOf({ name: 'README.md', text: section })
}

/** The lines of a block of commands, without what is said of them. */
function linesOf({ code }: Block): string[] {
  return code
    .split('\n')
    .map(line => line.replace(/\s+#.*/, '').trim())
    .filter(line => line !== '')
}

test('from the README to a scheduled deployment it takes less than ten commands', async t => {
  const lines = path()
    .filter(({ language }) => language === 'sh')
    .flatMap(linesOf)
  const commands = lines.flatMap(line => line.split(' && '))
  t.ok(commands.length > 0 && commands.length < 10, commands.join('\n'))
})

test('those commands do what the README says', async t => {
  const blocks = path()
  const [setUp, ...others] = blocks.filter(({ language }) => language === 'sh').map(linesOf)
  const clone = await packedClone(t)
  // What has been built and packed stands for the clone in which this was done.
  t.equal(setUp?.[0], 'npm ci && npm run build')
  let folder = clone
  for (const line of setUp?.slice(1) ?? []) folder = (await inShell(line, folder, clone)).folder
  for (const { fileName, code } of blocks) if (fileName) writeFileSync(join(folder, fileName), code)
  const said: Record<string, string> = {}
  for (const line of others.flat())
    said[line] = line.endsWith('agent start')
      ? await untilItHasRun(t, line, folder, clone)
      : (await inShell(line, folder, clone)).stdout

  t.match(said['npx mintaka run disks.ts'], /^free: \. \d+ %$/m)
  t.match(said['npx mintaka deployment create disks.ts'], /^created {3}disks\/often {2}every 5 s$/m)
  t.match(said['npx mintaka agent start'], /\| free: \. \d+ %, \.\. \d+ %$/m, 'it has run, with its parameters')
  const rows = said['npx mintaka flow-run ls']?.match(/^disks .* Completed /gm)
  t.ok(rows && rows.length >= 2, 'the run by hand, and that on schedule')
})

/** The package as others get it, in a folder with the name of a clone. Nothing is fetched: its packages are those of this one. */
async function packedClone(t: Test): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mintaka-newcomer-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: root,
    env: envFor(folder),
  })
  await run('tar', ['-xzf', join(folder, stdout.trim())], { cwd: folder })
  const clone = join(folder, 'mintaka')
  renameSync(join(folder, 'package'), clone)
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  mkdirSync(join(clone, 'home'))
  return clone
}

/** Nothing of the npm that runs the tests, no network, and a store of its own. */
function envFor(clone: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|TAP_|NODE_OPTIONS|MINTAKA_|FORCE_COLOR)/i.test(name),
  )
  const paths = (process.env['PATH'] ?? '').split(delimiter).filter(each => !each.includes('node_modules'))
  const npm = { npm_config_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' }
  return { ...Object.fromEntries(own), ...npm, PATH: paths.join(delimiter), MINTAKA_HOME: join(clone, 'home') }
}

/** Carries out a line as in a terminal that stands in `folder`, and tells where it stands then. */
async function inShell(line: string, folder: string, clone: string): Promise<{ stdout: string; folder: string }> {
  const { stdout } = await run('sh', ['-ec', `${line}\npwd`], { cwd: folder, env: envFor(clone) })
  const lines = stdout.trimEnd().split('\n')
  return { folder: lines.pop() ?? '', stdout: lines.join('\n') }
}

/** Leaves a line running until a run on schedule has completed, then presses Ctrl-C. */
async function untilItHasRun(t: Test, line: string, folder: string, clone: string): Promise<string> {
  const child = spawn('sh', ['-ec', line], {
    cwd: folder,
    env: envFor(clone),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // Ctrl-C goes to all processes of a terminal: here, to those of this group
  })
  const pressCtrlC = (signal: NodeJS.Signals) => child.pid !== undefined && process.kill(-child.pid, signal)
  const ended = once(child, 'exit')
  let hasEnded = false
  void ended.then(() => {
    hasEnded = true
  })
  t.teardown(() => hasEnded || pressCtrlC('SIGKILL'))
  const lines: string[] = []
  let isPressed = false
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (/ Completed .*disks\/often/.test(line) && !isPressed) isPressed = pressCtrlC('SIGINT') === true
  }
  const [code, signal] = await ended
  t.ok(code === 130 || signal === 'SIGINT', `it ends as by Ctrl-C: ${code ?? signal}`)
  return lines.join('\n')
}
