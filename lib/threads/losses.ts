import { asError, MintakaError } from '../core/errors.js'
import type { Outcome } from '../core/executor.js'

/** The error of a call whose thread was lost. */
export function workerLost(taskName: string, cause: unknown, hadEnded = false): MintakaError {
  const { code, message = '' } = (cause ?? {}) as { code?: unknown; message?: string }
  const exitCode = /^worker exited with code: (-?\d+)$/.exec(message)?.[1]
  const how =
    code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'ran out of memory'
      : exitCode !== undefined
        ? `exited with code ${exitCode}${hadEnded ? '' : ' (process.exit() in the task?)'}`
        : `was lost: ${message || String(cause)}`
  const text = hadEnded
    ? `Task '${taskName}' had ended, but its worker ${how} before the result was on its way`
    : `The worker running task '${taskName}' ${how}`
  return new MintakaError('WORKER_LOST', text, {
    cause,
    task: taskName,
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
  })
}

/** The error of calls for which there can be no thread. */
export function workersLost(count: number, cause: unknown): MintakaError {
  const { message = String(cause) } = (cause ?? {}) as { message?: string }
  const text = `No worker could be started: ${count} in a row ended before their first task (${message}).`
  return new MintakaError('WORKER_LOST', text, { cause })
}

/** The error of calls for which no thread could be set up. */
export function setupFailed(cause: unknown): MintakaError {
  const what = `The setup of the executor failed in a new thread: ${asError(cause).message}`
  return new MintakaError('EXECUTOR_FAILED', what, { cause })
}

/** The error of calls whose pool was closed before they had ended. */
export function poolClosed(): MintakaError {
  return new MintakaError('EXECUTOR_CLOSED', 'The threads of the executor were ended before the task had.')
}

/** The error of a call whose message was refused when it was posted. */
export function notSendable(taskName: string, what: string, cause: unknown): MintakaError {
  const { message } = cause as Error
  const text = `Task '${taskName}': ${what} can't be sent to or from a worker (${message}).`
  return new MintakaError('NOT_SENDABLE', text, { cause, task: taskName })
}

export function isCloneError(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'DataCloneError'
}

export function crashed(error: unknown): Outcome {
  return { type: 'crashed', error }
}
