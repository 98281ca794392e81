/**
 * Carries the calls of a batch out, one after the other, and posts how they ended. Posting costs as much as a small
 * task, so replies wait for each other, but not for long, and never knowingly for a long call: they go before the next
 * call begins if the last post was a while ago or the code of that call is not known to be quick, and whenever the
 * running call waits for something.
 *
 * Its limit: a call that is the first of its code to be long, and does not wait but compute, holds up what ended within
 * the interval before it.
 */
import type { Claims } from '../lib/threads/claims.js'
import {
  countOf,
  type Notice,
  type PackedBatch,
  type PackedReplies,
  packReply,
  type Reply,
  unpackCall,
} from '../lib/threads/protocol.js'
import { thrownToWire } from '../lib/values/wire.js'
import { carryOut } from './carry-out.js'
import { post } from './context.js'
import { drain, isWriting } from './output.js'
import type { Strays } from './strays.js'

// Measured: from 0.1 to 0.5 ms the throughput of the smallest tasks is the same, at 0 it is a fifth.
const intervalMs = 0.2
// Posting before each call is then a twentieth of the work, or less.
const quickMs = 0.1

/** How long the calls of a code take: recent ones count more. Codes that have not run are not in it. */
const averages = new Map<number, number>()

export async function carryOutBatch(batch: PackedBatch, claims: Claims, strays: Strays): Promise<void> {
  const outbox = new Outbox()
  const count = countOf(batch)
  let now = performance.now()
  for (let index = 0; index < count; index++) {
    const envelope = unpackCall(batch, index)
    if (!isQuick(envelope.code) || outbox.isDue(now)) await outbox.post()
    if (!claims.begin(index)) continue
    strays.begin(envelope.n)
    const moved: ArrayBuffer[] = []
    const ending = carryOut(envelope, claims, moved)
    if (ending instanceof Promise) outbox.postWhenIdle()
    const reply = ending instanceof Promise ? await ending : ending
    claims.end(index)
    outbox.add(envelope.n, reply)
    if (moved.length > 0) await outbox.post(moved)
    const end = performance.now()
    // The first time, most of it is the loading.
    if (!envelope.newCode) learn(envelope.code, end - now)
    now = end
  }
  strays.end()
  await outbox.post()
}

function isQuick(code: number): boolean {
  return (averages.get(code) ?? quickMs) < quickMs
}

function learn(code: number, ms: number): void {
  const average = averages.get(code) ?? ms
  averages.set(code, average + (ms - average) / 8)
}

/** Replies that wait to be posted. */
class Outbox {
  private replies: PackedReplies = []
  private postedAt = performance.now()
  private isArmed = false

  constructor() {
    leaving = this
  }

  add(n: number, reply: Reply): void {
    packReply(this.replies, n, reply)
  }

  isDue(now: number): boolean {
    return now - this.postedAt >= intervalMs
  }

  /** Once the thread has nothing else to do: a task that only looks asynchronous is over by then. */
  postWhenIdle(): void {
    if (this.isArmed || this.replies.length === 0) return
    this.isArmed = true
    setImmediate(() => {
      this.isArmed = false
      void this.post()
    })
  }

  post(moved: readonly ArrayBuffer[] = []): Promise<void> | undefined {
    // What the tasks have printed comes before their results, or a process that exits on them would lose the lines.
    if (isWriting()) return drain().then(() => this.postNow(moved))
    this.postNow(moved)
    return undefined
  }

  postNow(moved: readonly ArrayBuffer[] = []): void {
    const { replies } = this
    if (replies.length === 0) return
    this.replies = []
    this.postedAt = performance.now()
    try {
      post({ mintaka: 'replies', replies }, moved)
    } catch {
      for (let at = 0; at < replies.length; at += 4) postAlone(replies.slice(at, at + 4))
    }
  }
}

// One reply that cannot be posted costs no other call its own.
function postAlone(replies: PackedReplies): void {
  const notice: Notice = { mintaka: 'replies', replies }
  try {
    post(notice)
  } catch (error) {
    const [n, , , posted] = replies
    post({ mintaka: 'replies', replies: [n, 'threw', thrownToWire(error), posted] })
  }
}

// `process.exit()` in a task takes no results of others with it.
let leaving: Outbox | undefined
process.on('exit', () => leaving?.postNow())
