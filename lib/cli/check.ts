import { relative } from 'node:path'
import type { Command } from 'commander'
import type { Finding } from '../shipping/index.js'
import { type Colors, clean, colorsOf, printJson, printLine } from './print.js'

export function define(command: Command): void {
  command
    .argument('<file...>', 'files that define tasks')
    .option('--remote', 'ask for workers on other machines too, which have none of your packages and files')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe files are read and never run.\n\nExample:\n  $ mintaka check src/flows/*.ts')
    .action(check)
}

async function check(files: readonly string[], { json, remote }: { json?: true; remote?: true }): Promise<void> {
  const { checkFile } = await import('../shipping/index.js')
  const found: { file: string; findings: Finding[] }[] = []
  for (const file of files) found.push({ file, findings: await checkFile(file, { remote }).catch(unreadable) })
  if (found.some(({ findings }) => findings.some(({ level }) => level === 'error'))) process.exitCode = 1
  if (json) return printJson(found.flatMap(({ file, findings }) => findings.map(finding => ({ file, ...finding }))))
  const palette = colorsOf(process.stdout)
  for (const { file, findings } of found) {
    if (findings.length === 0) printLine(`${palette.dim('none')}     ${clean(file)} defines no tasks`)
    for (const finding of findings) printLine(lineOf(file, finding, palette))
  }
}

function unreadable({ code, message }: NodeJS.ErrnoException): Finding[] {
  const why = code === 'ENOENT' ? 'There is no such file.' : `It could not be read: ${message}`
  return [{ task: '', line: 1, level: 'error', message: why }]
}

function lineOf(file: string, { level, task, line, code, message }: Finding, palette: Colors): string {
  const { green, yellow, red, bold } = palette
  const colored = { ok: green, warning: yellow, error: red }[level](level.padEnd(7))
  const place = `${relative('', file) || file}:${line}`
  const head = `${colored}  ${clean(place)}${task === '' ? '' : `  ${bold(clean(task))}`}`
  return message === undefined ? head : `${head}\n         ${clean(message)}${code === undefined ? '' : ` (${code})`}`
}
