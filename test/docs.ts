import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { verbs } from '../lib/cli/verbs.js'
import { errorCodes } from '../lib/core/errors.js'
import { reviveState, type StateFields } from '../lib/core/state.js'
import { transitions } from '../lib/core/transitions.js'
import { pages, read, root } from './fixtures/docs/pages.js'

const doc = (name: string) => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')

test('the diagram of states has every cell of the table of transitions, and no other arrow', async t => {
  const drawn = [...doc('STATES.md').matchAll(/^ +([A-Z]+) --> ([A-Z]+)(?::|$)/gm)].map(
    ([, from, to]) => `${from} ${to}`,
  )
  const cells = Object.entries(transitions).flatMap(([from, all]) => all.map(to => `${from} ${to}`))
  t.strictSame(drawn.sort(), cells.sort())
})

test('the diagram ends where nothing may follow', async t => {
  const ends = [...doc('STATES.md').matchAll(/^ +([A-Z]+) --> \[\*\]$/gm)].map(([, from]) => from)
  const final = Object.entries(transitions).flatMap(([from, all]) => (all.length === 0 ? [from] : []))
  t.strictSame(ends.sort(), final.sort())
})

test('each state is told in one line, under its type', async t => {
  const rows = [...doc('STATES.md').matchAll(/^\| ([A-Z]+) \| ([A-Z]\w+) \|/gm)]
  for (const [, type, name = ''] of rows) t.equal(reviveState({ name, timestamp: 0 } as StateFields)?.type, type, name)
  t.equal(rows.length, 14)
})

test('each error code has one heading, and each heading is a code', async t => {
  const headings = [...doc('ERRORS.md').matchAll(/^## ([A-Z][A-Z_]+)$/gm)].map(([, code]) => code)
  t.strictSame(headings.sort(), Object.keys(errorCodes).sort())
})

test('every guide is in the index, and every verb of the command line in its guide', async t => {
  const guides = pages().flatMap(({ name }) => /^docs\/([A-Z-]+\.md)$/.exec(name)?.[1] ?? [])
  t.strictSame(
    guides.filter(name => name !== 'README.md' && !doc('README.md').includes(`](${name})`)),
    [],
  )
  const told = [...doc('CLI.md').matchAll(/^## (.+)$/gm)].flatMap(([, heading = '']) => heading.split(', '))
  t.strictSame(
    Object.keys(verbs).filter(verb => !told.includes(verb)),
    [],
  )
})

test('every link of the documents leads to a file, and every #place to a heading', async t => {
  for (const { name, text } of pages()) {
    for (const [, target = '', anchor] of text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
      const url = new URL(target === '' ? name : target, new URL(name, root))
      const there = target === '' ? text : read(url)
      if (!t.ok(there !== undefined, `${name} links to ${target}`) || anchor === undefined) continue
      t.ok(headingsOf(there ?? '').includes(anchor), `${name} links to ${target}#${anchor}`)
    }
  }
})

/** As they are linked to: lower case, words joined by hyphens. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  )
}
