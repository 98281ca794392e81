/** Copies the Python files of the library beside what was compiled. */
import { cpSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const [from, to] = ['..', '../dist'].map(root =>
  fileURLToPath(new URL(`${root}/lib/dask/clusters/python`, import.meta.url)),
)

rmSync(to, { recursive: true, force: true })
cpSync(from, to, { recursive: true, filter: path => basename(path) !== '__pycache__' })
