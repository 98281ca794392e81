import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { findPython } from '../../../lib/dask/clusters/find-python.js'
import { newestDask } from '../../fixtures/dask/environments.js'

const { python, version } = newestDask()

/** A program of that name in a folder of its own. */
function program(t: Test, name: string, script: string): { path: string; folder: string } {
  const folder = t.testdir({})
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return { path, folder }
}

test('the option comes first', async t => {
  t.strictSame(await findPython(python, { MINTAKA_PYTHON: '/nowhere', VIRTUAL_ENV: '/nowhere' }), {
    path: python,
    version,
  })
})

test('then MINTAKA_PYTHON', async t => {
  t.strictSame(await findPython(undefined, { MINTAKA_PYTHON: python, VIRTUAL_ENV: '/nowhere' }), {
    path: python,
    version,
  })
})

test('then the active virtual environment', async t => {
  t.strictSame(await findPython(undefined, { VIRTUAL_ENV: join(python, '..', '..') }), { path: python, version })
})

test('one that was named is not passed over', async t => {
  const says = /\/nowhere \(the option 'python'\): there is no such program.*python3 -m pip install distributed/
  await t.rejects(findPython('/nowhere'), { code: 'DASK_PYTHON', message: says })
  await t.rejects(findPython(undefined, { MINTAKA_PYTHON: '/nowhere' }), {
    code: 'DASK_PYTHON',
    message: /\/nowhere \(MINTAKA_PYTHON\)/,
    tried: ['/nowhere'],
  })
})

test('one without Dask is told how to get it', async t => {
  const { path } = program(t, 'python', 'exit 3')
  const says = `${path} (the option 'python'): it has no package 'distributed'. Install it: ${path} -m pip install distributed`
  await t.rejects(findPython(path), { code: 'DASK_PYTHON', message: new RegExp(literally(says)) })
})

test('one that was given Dask in the meantime is found', async t => {
  const { path } = program(t, 'python', 'exit 3')
  await t.rejects(findPython(path), { code: 'DASK_PYTHON' })
  writeFileSync(path, `#!/bin/sh\nexec ${python} "$@"\n`)
  t.strictSame(await findPython(path), { path, version })
})

test('one that fails says why', async t => {
  const { path } = program(t, 'python', 'echo "no good" >&2; exit 1')
  await t.rejects(findPython(path), { code: 'DASK_PYTHON', message: /\(the option 'python'\): no good/ })
})

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
