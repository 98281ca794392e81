import type { Documents } from '../core/documents.js'
import { kinds, type Taker } from './record.js'

/** The name of the lock that an agent holds for as long as it lives. */
export function lockOf(agent: string): string {
  return `agent ${agent}`
}

/**
 * Carries out `life` of an agent where others see that it lives: it holds its lock meanwhile, and has a document. `false`:
 * somebody else holds that lock.
 */
export async function whileListed(documents: Documents, taker: Taker, life: () => Promise<void>): Promise<boolean> {
  const done = await documents.exclusively(lockOf(taker.agent), async () => {
    await documents.put(kinds.agents, taker.agent, taker)
    await life()
    await documents.remove(kinds.agents, taker.agent)
  })
  return done !== undefined
}

/**
 * Whether no agent lives for certain. One on another machine may always live, as far as is known here. What agents that have
 * died left behind is removed.
 */
export async function isNobodyThere(documents: Documents): Promise<boolean> {
  let livesOne = false
  for (const { key } of await documents.list(kinds.agents)) {
    const gone = await documents.exclusively(lockOf(key), () => documents.remove(kinds.agents, key))
    livesOne ||= gone === undefined
  }
  return !livesOne
}
