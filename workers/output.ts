/** Whether anything printed is still on its way to the main thread. */
export function isWriting(): boolean {
  return process.stdout.writableLength > 0 || process.stderr.writableLength > 0
}

/** Waits until what was printed has reached the main thread. */
export async function drain(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map(flush))
}

function flush(stream: NodeJS.WriteStream): Promise<void> | undefined {
  if (stream.writableLength === 0) return undefined
  return new Promise(resolve => stream.write('', () => resolve()))
}
