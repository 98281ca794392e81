// One listener for however many engines: more than ten would be warned of as a leak, and none may be left behind.

const leaving = new Set<(exitCode: number) => void>()

/** Calls back when this process (or this thread) ends, if it has not been taken back by then. Nothing can be awaited there. */
export function atExit(leave: (exitCode: number) => void): () => void {
  if (leaving.size === 0) process.on('exit', leaveAll)
  leaving.add(leave)
  return () => {
    if (leaving.delete(leave) && leaving.size === 0) process.off('exit', leaveAll)
  }
}

function leaveAll(exitCode: number): void {
  for (const leave of leaving) {
    try {
      leave(exitCode)
    } catch {
      // Whoever opens the store next finds out. The exit code stays what it is.
    }
  }
}
