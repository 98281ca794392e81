import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createFile, namesIn, readIfThere } from './files.js'
import { isDead, type ProcessId, thisProcess } from './process-id.js'

/** What stands in a lock: who holds it. */
interface Holder {
  readonly token: string
  readonly process: ProcessId
}

/** `held`: whoever has it gives it back by `release`. Else why it cannot be had now, for people. */
export type Lock =
  | { readonly held: true; release(): void }
  | { readonly held: false; readonly why: string; readonly advice?: string }

/**
 * Takes a lock, which is a file that says who holds it. It has no lease: who is alive keeps it, even when paused, and the
 * lock of a dead process is taken over. That is done by one more file, `<lock>.<token of the dead one>`, which only one of
 * several takers can make; so the holder is the one at the end of that chain.
 */
export function takeLock(path: string, temporary: () => string): Lock {
  const own: Holder = { token: randomBytes(8).toString('hex'), process: thisProcess() }
  const chain = chainOf(path)
  const last = chain.at(-1)
  if (last === 'damaged')
    return { held: false, why: `${path} is damaged`, advice: `Remove ${path} if nobody uses the store.` }
  if (last && !isDead(last.process)) return { held: false, ...reasonOf(path, last.process) }
  const next = last ? `${path}.${last.token}` : path
  if (!createFile(next, `${JSON.stringify(own)}\n`, temporary()))
    return { held: false, why: 'somebody has just taken it' }
  // Who held it may have given it back in between, and somebody else may have it by now.
  const end = chainOf(path).at(-1)
  if (end === 'damaged' || end?.token !== own.token) {
    rmSync(next, { force: true })
    return { held: false, why: 'somebody has just taken it' }
  }
  if (!last) removeStrayLinks(path, own.token)
  return { held: true, release: () => release(path, own.token) }
}

/** Who holds a lock; `undefined`: nobody. For people. */
export function lockHolder(path: string): { readonly process: ProcessId; readonly isDead: boolean } | undefined {
  const last = chainOf(path).at(-1)
  return last === undefined || last === 'damaged' ? undefined : { process: last.process, isDead: isDead(last.process) }
}

/** Removes a lock whose holder has died. */
export function sweepLock(path: string, temporary: () => string): void {
  if (!lockHolder(path)?.isDead) return
  const lock = takeLock(path, temporary)
  if (lock.held) lock.release()
}

/**
 * First the lock itself: without it the rest of the chain means nothing. Of the links only those of this chain: by then
 * somebody else may have the lock, and another one may have taken it over.
 */
function release(path: string, token: string): void {
  const chain = chainOf(path).filter(holder => holder !== 'damaged')
  if (chain.at(-1)?.token !== token) return // somebody has removed it by hand: what is there now is not ours
  rmSync(path, { force: true })
  for (const holder of chain) rmSync(`${path}.${holder.token}`, { force: true })
}

/** Removes links that lead from nowhere: as long as this one has the lock, only its own token begins one. */
function removeStrayLinks(path: string, token: string): void {
  const links = `${basename(path)}.`
  for (const name of namesIn(dirname(path)))
    if (name.startsWith(links) && name !== `${links}${token}`) rmSync(join(dirname(path), name), { force: true })
}

function chainOf(path: string): (Holder | 'damaged')[] {
  const chain: (Holder | 'damaged')[] = []
  for (let next = path; ; ) {
    const text = readIfThere(next)
    if (text === undefined) return chain
    const holder = parse(text)
    chain.push(holder ?? 'damaged')
    if (!holder) return chain
    next = `${path}.${holder.token}`
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null
    if (typeof holder?.token !== 'string' || typeof holder.process?.pid !== 'number') return undefined
    return { token: holder.token, process: holder.process }
  } catch {
    return undefined
  }
}

function reasonOf(path: string, { pid, host }: ProcessId): { why: string; advice?: string } {
  const here = thisProcess()
  if (host === here.host) return { why: `process ${pid} holds it` }
  const advice = `If that process is gone for good, remove ${path}.`
  return {
    why: `process ${pid} on host '${host}' holds it, and whether that is alive cannot be seen from here`,
    advice,
  }
}
