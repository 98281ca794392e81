import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { MintakaError } from '../../core/errors.js'

/** A Python that has Dask. */
export interface Python {
  /** As it is started: a path, or a name of the PATH. */
  readonly path: string
  /** Of `distributed`: `2026.8.0`. */
  readonly version: string
}

/**
 * Finds the Python that starts schedulers and cluster classes: `wanted`, else MINTAKA_PYTHON, and neither is passed over;
 * else the active virtual environment, `python3`, `python`, the first that has `distributed`. Throws DASK_PYTHON, which says
 * what was tried and how to install what is missing. What was found is not asked again.
 */
export async function findPython(wanted?: string, env: NodeJS.ProcessEnv = process.env): Promise<Python> {
  const candidates = candidatesOf(wanted, env)
  const failures: string[] = []
  for (const { path, from } of candidates) {
    const answer = await ask(path)
    if (typeof answer === 'object') return answer
    failures.push(`${path} (${from}): ${answer}`)
  }
  throw new MintakaError('DASK_PYTHON', sentence(candidates, failures), { tried: candidates.map(({ path }) => path) })
}

interface Candidate {
  readonly path: string
  readonly from: string
}

function candidatesOf(wanted: string | undefined, env: NodeJS.ProcessEnv): Candidate[] {
  if (wanted !== undefined) return [{ path: wanted, from: "the option 'python'" }]
  const { MINTAKA_PYTHON: told, VIRTUAL_ENV: active } = env
  if (told) return [{ path: told, from: 'MINTAKA_PYTHON' }]
  const onPath = ['python3', 'python'].map(path => ({ path, from: 'on the PATH' }))
  return active ? [{ path: pythonOf(active), from: 'the active virtual environment' }, ...onPath] : onPath
}

function pythonOf(environment: string): string {
  return process.platform === 'win32' ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python')
}

const known = new Map<string, Promise<Python | string>>()

/** Asks once: an interpreter that has Dask keeps it. One that has not may have been given it since. */
function ask(path: string): Promise<Python | string> {
  const before = known.get(path)
  if (before) return before
  const asking = distributedOf(path)
  known.set(path, asking)
  void asking.then(answer => typeof answer === 'object' || known.delete(path))
  return asking
}

// Importing it takes thirty times as long, and asking importlib.metadata four times. Its folder bears its version, unless
// it is run from its sources.
const question = `
import importlib.util, os, sys
found = importlib.util.find_spec("distributed")
if found is None or not found.origin:
    sys.exit(3)
names = os.listdir(os.path.dirname(os.path.dirname(found.origin)))
print(*[name.split("-")[1].rpartition(".")[0] for name in names if name.startswith("distributed-")][:1] or ["unknown"])
`

// A network drive, a busy machine; but one that waits for something will not be waited for.
const askingMs = 30_000

/** What it answers, or why it has none. */
function distributedOf(path: string): Promise<Python | string> {
  return new Promise(resolve => {
    execFile(path, ['-c', question], { timeout: askingMs, windowsHide: true }, (error, stdout, stderr) => {
      if (!error) return resolve({ path, version: stdout.trim() })
      if (error.code === 3) return resolve(withoutDask)
      if (error.code === 'ENOENT') return resolve('there is no such program')
      if (error.killed) return resolve(`it gave no answer in ${askingMs / 1000} s`)
      resolve(stderr.trim().split('\n').at(-1) || error.message)
    })
  })
}

const withoutDask = "it has no package 'distributed'"

function sentence(candidates: readonly Candidate[], failures: readonly string[]): string {
  const lacking = candidates.find((_, index) => failures[index]?.endsWith(withoutDask))
  const install = lacking
    ? `Install it: ${lacking.path} -m pip install distributed`
    : 'Install Python, and then Dask: python3 -m pip install distributed'
  const name = "name an interpreter that has it by the option 'python' or by MINTAKA_PYTHON"
  return `A temporary Dask cluster needs a Python with Dask, and none was found. ${failures.join('; ')}. ${install}; or ${name}.`
}
