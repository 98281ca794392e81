import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { root } from '../fixtures/project.js'

test('what a thread loads as it starts is one file, and what Node brings', t => {
  const bundle = readFileSync(join(root, 'dist', 'workers', 'thread.cjs'), 'utf8')
  const required = [...bundle.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name as string)
  t.ok(required.includes('node:worker_threads'))
  for (const name of required) t.match(name, /^node:/)
  t.notMatch(bundle, /from "\./)
  t.end()
})
