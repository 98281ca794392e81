import { isMintakaError, MintakaError } from '../../core/errors.js'

/**
 * DASK_CONNECT for an address that could not be connected to: what is the matter, and what to do. Without an error, it has
 * taken `timeoutMs`. What is another matter (DASK_PROTOCOL, INVALID_ARGUMENT) is given back as it is.
 */
export function noConnection(address: string, thrown: unknown, timeoutMs?: number): unknown {
  if (isMintakaError(thrown) && thrown.code !== 'DASK_CONNECT') return thrown
  const cause = rootOf(thrown)
  const code = codeOf(cause)
  const { problem, fix } = thrown === undefined ? silence(timeoutMs) : explain(code, address, cause)
  const text = `${address} ${problem}${code === '' ? '' : ` (${code})`}. ${fix}`
  return new MintakaError('DASK_CONNECT', text, { address, ...(thrown === undefined ? {} : { cause }) })
}

interface Explanation {
  readonly problem: string
  readonly fix: string
}

function silence(timeoutMs: number | undefined): Explanation {
  return {
    problem: `has not answered in ${timeoutMs} ms`,
    fix: 'Check the address, and that no firewall is in between.',
  }
}

function explain(code: string, address: string, cause: unknown): Explanation {
  if (code === 'ECONNREFUSED') {
    return { problem: 'cannot be reached: nothing listens there', fix: 'Start the scheduler, or correct the address.' }
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return { problem: 'cannot be reached: no such host is known', fix: 'Correct the name of the host.' }
  }
  return address.startsWith('tls://') ? explainTls(code, cause) : explainTcp(code, cause)
}

function explainTcp(code: string, cause: unknown): Explanation {
  if (code === '' || code === 'ECONNRESET') {
    return {
      problem: `closed the connection: ${textOf(cause)}`,
      fix: 'Is it a Dask scheduler? If it speaks TLS, its address begins with tls://.',
    }
  }
  return { problem: `cannot be reached: ${textOf(cause)}`, fix: 'Check the address and the network.' }
}

function explainTls(code: string, cause: unknown): Explanation {
  const certificates = 'Give tls: { ca, cert, key } with certificates that the authority of the cluster has signed.'
  if (/ALERT|ECONNRESET|ECONNABORTED|EPIPE/.test(code) || code === '') {
    return { problem: 'did not accept our certificate, or closed the connection', fix: certificates }
  }
  if (/WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH_TOO_LONG/.test(code)) {
    return { problem: 'does not speak TLS', fix: 'Use tcp:// if the cluster has no encryption.' }
  }
  if (/CERT|ISSUER|SIGNATURE|VERIFY/.test(code)) {
    return { problem: `has a certificate that tls.ca has not signed: ${textOf(cause)}`, fix: certificates }
  }
  return { problem: `cannot be reached over TLS: ${textOf(cause)}`, fix: certificates }
}

/** What the socket said, below what we made of it. */
function rootOf(thrown: unknown): unknown {
  return isMintakaError(thrown) && thrown.cause !== undefined ? thrown.cause : thrown
}

function codeOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null || isMintakaError(cause)) return ''
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause)
}
