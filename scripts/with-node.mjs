#!/usr/bin/env node
/**
 * Runs a command with another version of Node:
 *
 *     node scripts/with-node.mjs 24 -- npx tap test/loaders.ts
 *
 * That `node` comes first in the PATH of the command and of whatever it starts. It is installed on first use, from the
 * npm registry, into `node_modules/.cache/nodes`. Without a command, it prints the path of that `node`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../node_modules/.cache/nodes/', import.meta.url))

/** The path of a `node` of that version (`24`, `22.20.0`). Throws an error that says why there is none. */
export function nodeOf(version) {
  if (!/^\d+(\.\d+){0,2}$/.test(version)) throw new Error(`'${version}' is not a version of Node, like 24 or 22.20.0.`)
  const folder = join(cache, version)
  const path = join(folder, 'node_modules', packageName(), 'bin', isWindows ? 'node.exe' : 'node')
  if (!existsSync(path)) install(version, folder)
  return path
}

const isWindows = process.platform === 'win32'

/** The packages that the package `node` would choose from, in a script of its installation that npm may not run. */
function packageName() {
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
  return `${prefix}-${isWindows ? 'win' : process.platform}-${process.arch}`
}

/** Made beside its place and moved there whole: several processes may want the same version at once. */
function install(version, folder) {
  mkdirSync(cache, { recursive: true })
  const making = mkdtempSync(join(cache, 'making-'))
  try {
    writeFileSync(join(making, 'package.json'), '{ "private": true }\n')
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefix', making]
    const { status, stderr, error } = spawnSync('npm', [...args, `${packageName()}@${version}`], {
      cwd: making,
      encoding: 'utf8',
      shell: isWindows,
    })
    if (status !== 0) throw new Error(`Node ${version} could not be installed.\n${error ?? stderr}`.trim())
    chmodSync(making, 0o755) // other users may run it: a test does
    move(making, folder)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

function move(making, folder) {
  try {
    renameSync(making, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  }
}

/** The environment in which `node` is that one. */
export function environmentOf(node, env = process.env) {
  const { PATH, Path, ...rest } = env
  return { ...rest, PATH: [dirname(node), PATH ?? Path].filter(Boolean).join(delimiter) }
}

function main([version, dashes, command, ...args]) {
  if (version === undefined || (dashes !== undefined && dashes !== '--')) {
    throw new Error('Usage: node scripts/with-node.mjs VERSION [-- COMMAND ARGS…]')
  }
  const node = nodeOf(version)
  if (command === undefined) return console.log(node)
  const child = spawn(command === 'node' ? node : command, args, {
    stdio: 'inherit',
    env: environmentOf(node),
    shell: isWindows && command !== 'node',
  })
  child.on('error', fail)
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
}

function fail(error) {
  console.error(error.message)
  process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    fail(error)
  }
}
