import { isMintakaError, MintakaError } from '../../core/errors.js'

/** The error for bytes that do not say what they should. Whoever knows the peer adds its name. */
export function malformed(what: string, cause?: unknown): MintakaError {
  return new MintakaError('DASK_PROTOCOL', `A message of a Dask cluster is malformed: ${what}.`, {
    what,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The same, by the one who sent it. */
export function malformedBy(peer: string, cause: MintakaError): MintakaError {
  const { what } = cause as MintakaError & { readonly what?: string }
  const text = `${peer} sent what is not a message of Dask: ${what ?? cause.message}.`
  return new MintakaError('DASK_PROTOCOL', text, { peer, cause })
}

/** Runs a reader of foreign bytes: whatever it throws is DASK_PROTOCOL, or already an error of ours. */
export function guarded<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (isMintakaError(thrown)) throw thrown
    throw malformed(`${what} (${thrown instanceof Error ? thrown.message : String(thrown)})`, thrown)
  }
}
