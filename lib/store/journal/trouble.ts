import type { MintakaError } from '../../core/errors.js'
import { messageOf } from '../../core/state.js'

const firstDelayMs = 100
const longestDelayMs = 2000

/** The time in which a journal cannot be written: it is tried again by itself, less and less often. */
export class Trouble {
  readonly error: MintakaError
  /** Resolves when it is over. */
  readonly over: Promise<void>
  /** A write alone does not end it: the disk must say that it has got it. */
  untilSynced = false
  readonly #again: () => void
  #resolve!: () => void
  #timer: NodeJS.Timeout | undefined
  #delayMs = firstDelayMs
  #awaited = false

  constructor(error: MintakaError, again: () => void) {
    this.error = error
    this.#again = again
    this.over = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  /** Somebody waits for the end of it: the process stays alive until then. */
  isAwaited(): void {
    this.#awaited = true
    this.#timer?.ref()
  }

  /** Has it tried again after a while. */
  tryLater(): void {
    this.stop()
    this.#timer = setTimeout(this.#again, this.#delayMs)
    if (!this.#awaited) this.#timer.unref()
    this.#delayMs = Math.min(longestDelayMs, this.#delayMs * 2)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  end(): void {
    this.stop()
    this.#resolve()
  }
}

/** Somebody has removed a file that is written into: the file system itself says nothing about that. */
export class RemovedError extends Error {
  readonly code = 'ENOENT'

  constructor() {
    super('it has been removed, with all that was in it')
  }
}

/** Whether a failure may be that of one file, so that the next one is worth a try at once. */
export function isOfTheFile(failure: unknown): boolean {
  const { code } = failure as NodeJS.ErrnoException
  return code !== 'ENOSPC' && code !== 'EDQUOT'
}

/** What has failed, and what to do about it: the end of a sentence. */
export function whyAndFix(failure: unknown, folder: string): string {
  return `${messageOf(failure)}. ${fixFor((failure as NodeJS.ErrnoException).code, folder)}`
}

function fixFor(code: string | undefined, folder: string): string {
  switch (code) {
    case 'ENOSPC':
      return `Make room on the disk of ${folder}.`
    case 'EDQUOT':
      return `Make room in ${folder}, or have the quota raised.`
    case 'EFBIG':
      return 'Raise the limit on the size of files (ulimit -f).'
    case 'EIO':
      return `The disk of ${folder} has failed: look into the log of the system.`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `Give this process permission to write in ${folder}.`
    case 'EMFILE':
    case 'ENFILE':
      return 'Raise the limit on open files (ulimit -n).'
    case 'ENOENT':
      return `The folder ${folder} has been removed: make it again.`
    default:
      return `Look at ${folder}.`
  }
}
