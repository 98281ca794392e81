/**
 * Databases to measure against. Nobody who works on Mintaka needs them, so they are no dependencies of it: they are installed
 * when a benchmark asks for the first of them, into `node_modules/.cache`, which takes a minute or two.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const manifest = fileURLToPath(new URL('package.json', import.meta.url))
/** Native code is made for one version of Node. */
const version = `node-${process.versions.modules}`
const folder = fileURLToPath(new URL(`../../node_modules/.cache/bench-databases/${version}/`, import.meta.url))

/** Imports one of the packages in `bench/databases/package.json`. */
export async function database<T>(name: string): Promise<T> {
  const resolve = createRequire(join(folder, 'package.json')).resolve
  if (!isInstalled()) install()
  return import(pathToFileURL(resolve(name)).href) as Promise<T>
}

/** Where the packages are found, for a program that imports them by itself. */
export function databasesFolder(): string {
  if (!isInstalled()) install()
  return folder
}

function isInstalled(): boolean {
  const copy = join(folder, 'package.json')
  const isSame = existsSync(copy) && readFileSync(copy, 'utf8') === readFileSync(manifest, 'utf8')
  return isSame && existsSync(join(folder, 'node_modules/.package-lock.json'))
}

function install(): void {
  mkdirSync(folder, { recursive: true })
  copyFileSync(manifest, join(folder, 'package.json'))
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error('The databases to measure against could not be installed.')
}
