import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A PostgreSQL of its own, as its packages set it up: everything is synced before it is committed. */
export interface Postgres extends AsyncDisposable {
  readonly version: string
  /** `postgresql://postgres@127.0.0.1:40361/postgres` */
  readonly url: string
}

/**
 * Makes a cluster in a folder below `parent` and starts it on a free port of 127.0.0.1. PostgreSQL will not run as root: then
 * it runs as the user `postgres`, which its package has made.
 */
export async function startPostgres(parent: string): Promise<Postgres> {
  const bin = findBin()
  const user = process.getuid?.() === 0 ? idsOf('postgres') : undefined
  const folder = mkdtempSync(join(parent, 'postgres-'))
  const data = join(folder, 'data')
  mkdirSync(data)
  if (user) for (const path of [folder, data]) chownSync(path, user.uid, user.gid)
  const options = { ...user, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C' } }
  const run = (name: string, ...args: string[]) => execFileSync(join(bin, name), args, { ...options, encoding: 'utf8' })

  run('initdb', '-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8')
  const port = await freePort()
  const settings = ['-p', String(port), '-h', '127.0.0.1', '-k', folder]
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings], { ...options, stdio: 'ignore' })
  const ended = once(server, 'exit')
  const isReady = () => {
    try {
      run('pg_isready', '-h', '127.0.0.1', '-p', String(port))
      return true
    } catch {
      return false
    }
  }
  for (const end = Date.now() + 60_000; !isReady(); await delay(50)) {
    if (server.exitCode !== null || Date.now() > end) throw new Error('PostgreSQL did not start.')
  }
  return {
    version: run('postgres', '--version').trim(),
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    async [Symbol.asyncDispose]() {
      server.kill('SIGINT') // what it calls a fast shutdown
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Debian keeps the programs of each version in a folder that is in nobody's PATH. */
function findBin(): string {
  const root = '/usr/lib/postgresql'
  try {
    const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a))
    if (newest) return join(root, newest, 'bin')
  } catch {}
  return execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim()
}

function idsOf(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}
