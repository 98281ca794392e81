import type { Command } from 'commander'
import { type StoreInfo, storeInfo } from '../store/info.js'
import { bytesText } from './bytes.js'
import { ago, clean, colorsOf, printJson, printLine, widthOf } from './print.js'
import { useFolder } from './store.js'
import { type Column, table } from './table.js'

export function define(command: Command): void {
  command
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ mintaka store info')
    .action(async ({ json }: { json?: true }) => {
      const info = await useFolder('read', async folder => storeInfo(folder))
      if (json) printJson({ ...info, journals: info.journals.map(withTime) })
      else printLine(described(info))
    })
}

function withTime<T extends { readonly created?: number | undefined }>(journal: T) {
  const { created } = journal
  return { ...journal, created: created === undefined ? undefined : new Date(created).toISOString() }
}

const columns: readonly Column[] = [
  { head: 'journal', mayShrink: true },
  { head: 'process' },
  { head: 'state' },
  { head: 'since' },
  { head: 'segments' },
  { head: 'size' },
]

function described(info: StoreInfo): string {
  const palette = colorsOf(process.stdout)
  const { dim } = palette
  const { bytes, history, lock } = info
  const facts: [string, string][] = [
    ['folder', info.folder],
    ['format', String(info.format)],
    ['catalogue', info.catalogue === 'whole' ? `generation ${info.generation}` : info.catalogue],
    [
      'history',
      `${info.foldedFlowRuns} flow runs, ${bytesText(bytes.history + bytes.index)} in ${history.length} files`,
    ],
    ['journals', `${info.journals.length}, ${bytesText(bytes.journals)}`],
    ['results', bytesText(bytes.results)],
    ['cache', bytesText(bytes.cache)],
  ]
  if (bytes.damaged > 0) facts.push(['damaged', `${bytesText(bytes.damaged)} are kept in damaged/`])
  if (lock) facts.push(['lock', `process ${lock.pid} on ${clean(lock.host)}${lock.alive === true ? '' : ' (gone?)'}`])
  const head = facts.map(([name, text]) => `${dim(name.padEnd(10))} ${text}`).join('\n')
  if (info.journals.length === 0) return head
  const rows = info.journals.map(({ name, pid, host, state, created, segments, bytes }) => [
    clean(name),
    pid === undefined ? '' : `${pid} on ${clean(host ?? '')}`,
    state,
    created === undefined ? '' : ago(created),
    String(segments),
    bytesText(bytes),
  ])
  return `${head}\n\n${table(columns, rows, widthOf(process.stdout), palette)}`
}
