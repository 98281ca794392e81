#!/usr/bin/env node
/**
 * Makes the Python environments in which tests find real Dask: `.dask/LABEL`, one for each version.
 *
 *     node scripts/dask-env.mjs          what cannot be installed is left out, with a line that says so
 *     node scripts/dask-env.mjs --all    is an error instead; so it is where CI is set
 *
 * What is installed is in `scripts/dask/*.txt`, to the last dependency. An environment that is there already is kept: it
 * bears the hash of what it was made of. PYTHON names another interpreter than those of the PATH.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** By label: the versions of Python, from and to, on which that Dask runs. Newest first. */
const versions = {
  newest: ['3.10', '3.14'],
  '2024.8.0': ['3.10', '3.13'],
  '2022.12.1': ['3.10', '3.11'],
}

const requirements = fileURLToPath(new URL('dask/', import.meta.url))
const environments = fileURLToPath(new URL('../.dask/', import.meta.url))
const isStrict = process.argv.includes('--all') || Boolean(process.env.CI)

async function main() {
  const labels = Object.keys(versions).filter(label => !isThere(label))
  if (labels.length === 0) return
  const pythons = await findPythons()
  if (pythons.length === 0) throw new Error(`No Python from 3.10 was found. ${installPython}`)
  mkdirSync(environments, { recursive: true })
  // One after the other: the first one fills pip's cache for the others.
  for (const label of labels) await make(label, pythons)
  if (!Object.keys(versions).some(isThere)) throw new Error('No version of Dask could be installed: see above.')
}

async function make(label, pythons) {
  const [from, to] = versions[label]
  const python = pythons.find(({ version }) => isWithin(version, from, to))
  if (!python) return leaveOut(label, `it runs on Python ${from} to ${to}, and here is ${pythons[0].version}`, true)
  const begin = performance.now()
  try {
    await install(label, python.path)
  } catch (error) {
    rmSync(join(environments, label), { recursive: true, force: true })
    return leaveOut(label, error.message)
  }
  console.log(`Dask ${label}: installed in ${Math.round((performance.now() - begin) / 1000)} s.`)
}

async function install(label, python) {
  const folder = join(environments, label)
  rmSync(folder, { recursive: true, force: true })
  try {
    await run(python, ['-m', 'venv', folder])
  } catch (error) {
    throw new Error(`a virtual environment could not be made. ${installVenv}\n${error.message}`)
  }
  const list = join(requirements, `${label}.txt`)
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:']
  await run(pythonIn(label), [...pip, '-r', list])
  const { version } = await ask(pythonIn(label), 'import distributed; told = { "version": distributed.__version__ }')
  writeFileSync(stampOf(label), JSON.stringify({ label, version, madeOf: hashOf(label) }))
}

/** A version that this machine's Python cannot have is nobody's fault here; anything else is, where all are wanted. */
function leaveOut(label, why, isForeseen = false) {
  const isFatal = isStrict && !(isForeseen && label === '2022.12.1')
  if (isFatal) throw new Error(`Dask ${label} is not installed: ${why}.`)
  console.warn(`Dask ${label} is left out: ${why}.`)
}

function isThere(label) {
  try {
    return JSON.parse(readFileSync(stampOf(label), 'utf8')).madeOf === hashOf(label)
  } catch {
    return false
  }
}

function hashOf(label) {
  const hash = createHash('sha256')
  for (const name of [label, 'dependencies']) hash.update(readFileSync(join(requirements, `${name}.txt`)))
  return hash.digest('hex')
}

const stampOf = label => join(environments, label, 'mintaka.json')
const isWindows = process.platform === 'win32'
const pythonIn = label => join(environments, label, ...(isWindows ? ['Scripts', 'python.exe'] : ['bin', 'python']))

async function findPythons() {
  const names = process.env.PYTHON
    ? [process.env.PYTHON]
    : ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10']
  const asked = names.map(async path => {
    try {
      const told = 'import sys; told = { "version": "%d.%d" % sys.version_info[:2] }'
      return [{ path, ...(await ask(path, told)) }]
    } catch {
      return []
    }
  })
  return (await Promise.all(asked)).flat().filter(({ version }) => isWithin(version, '3.10', '3.99'))
}

function isWithin(version, from, to) {
  const minor = text => Number(text.split('.')[1])
  return minor(version) >= minor(from) && minor(version) <= minor(to)
}

async function ask(python, code) {
  return JSON.parse(await run(python, ['-c', `import json; ${code}; print(json.dumps(told))`]))
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', text => (stdout += text))
    child.stderr.on('data', text => (stderr += text))
    child.on('error', reject)
    child.on('close', code => {
      if (code === 0) return resolve(stdout)
      reject(new Error(`${command} ${args.join(' ')} ended with ${code}.\n${(stdout + stderr).trim()}`))
    })
  })
}

const installPython = 'Tests run on real Dask: install Python (Debian: apt-get install python3 python3-venv).'
const installVenv = 'Debian has that apart: apt-get install python3-venv.'

try {
  await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
