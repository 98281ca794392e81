import { setTimeout as rest } from 'node:timers/promises'

const leastMs = 200
/** What part of the time is spent looking, at most: a large run takes long to be read. */
const share = 0.25

/** Calls `look` again and again until it says that there is nothing more to see. */
export async function lookAgain(look: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const begin = performance.now()
    if (await look()) return
    const tookMs = performance.now() - begin
    await rest(Math.max(leastMs, tookMs * (1 / share - 1)))
  }
}
