import { MintakaError } from '../../core/errors.js'
import { exprDialect } from '../dialects/expr.js'
import { hlgDialect } from '../dialects/hlg.js'
import { msgpackDialect } from '../dialects/msgpack.js'
import type { Dialect } from './graph.js'

/** The range of `distributed` that every release is tested with, both ends included. */
export const testedVersions = { oldest: '2022.12.0', newest: '2026.8.0' } as const

/** How to speak to a scheduler, and whether it is one that nobody has tried yet. */
export interface Choice {
  readonly dialect: Dialect
  readonly isUntried: boolean
}

/**
 * The dialect of a scheduler by the version that it says it has. A version that says nothing (a source checkout) and one
 * that is newer than those known are spoken to as the newest. Throws DASK_VERSION for one that is too old.
 */
export function dialectFor(version: string | undefined, address: string): Choice {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version ?? '')
  if (!parts) return { dialect: exprDialect, isUntried: true }
  const found = order(parts.slice(1).map(Number))
  if (found < of(testedVersions.oldest)) throw tooOld(version as string, address)
  if (found < of('2023.4.0')) return { dialect: msgpackDialect, isUntried: false }
  if (found < of('2025.4.0')) return { dialect: hlgDialect(found >= of('2024.5.2')), isUntried: false }
  return { dialect: exprDialect, isUntried: found > of(testedVersions.newest) }
}

function of(version: string): number {
  return order(version.split('.').map(Number))
}

function order([year = 0, month = 0, patch = 0]: readonly number[]): number {
  return (year * 100 + month) * 1000 + patch
}

function tooOld(version: string, address: string): MintakaError {
  const { oldest, newest } = testedVersions
  const text =
    `The Dask scheduler at ${address} has version ${version} of distributed, which is too old. Versions ${oldest} to ` +
    `${newest} are supported: python -m pip install --upgrade distributed`
  return new MintakaError('DASK_VERSION', text, { address, version })
}
