import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** What tells one process from every other, also after its pid has gone to another one. */
export interface ProcessId {
  readonly pid: number
  readonly host: string
  /** Clock ticks between boot and the start of the process. Linux only, as are the next ones. */
  readonly started?: string
  readonly boot?: string
  /** The pid namespace: in another one a pid means something else. */
  readonly namespace?: string
  /** Tells machines of one name apart. */
  readonly machine?: string
}

let own: ProcessId | undefined

export function thisProcess(): ProcessId {
  return (own ??= {
    pid: process.pid,
    host: hostname(),
    ...field('started', () => statOf('self')?.started),
    ...field('boot', () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    ...field('namespace', () => readlinkSync('/proc/self/ns/pid')),
    ...field('machine', () => readFileSync('/etc/machine-id', 'utf8').trim()),
  })
}

/**
 * Whether a process has ended for certain. Of a process on another machine or in another pid namespace nothing is
 * certain; one that is merely paused or slow is not dead. Age says nothing and is not asked.
 */
export function isDead(other: ProcessId, here = thisProcess()): boolean {
  if (other.host !== here.host || other.machine !== here.machine) return false
  if (other.boot !== here.boot) return other.boot !== undefined && here.boot !== undefined
  if (other.namespace !== here.namespace) return false
  if (!exists(other.pid)) return true
  const stat = statOf(other.pid)
  if (!stat) return false
  // A zombie has ended; its parent has just not asked yet.
  return stat.state === 'Z' || stat.state === 'X' || (other.started !== undefined && other.started !== stat.started)
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** State and start time of a process; `undefined` where there is no /proc, or it may not be seen. */
function statOf(pid: number | 'self'): { state: string; started: string } | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the name of the program in parentheses, with whatever that holds.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, started] = [fields[0], fields[19]]
  return state === undefined || started === undefined ? undefined : { state, started }
}

function field<K extends string>(key: K, read: () => string | undefined): { [key in K]?: string } {
  try {
    const value = read()
    return (value ? { [key]: value } : {}) as { [key in K]?: string }
  } catch {
    return {}
  }
}
