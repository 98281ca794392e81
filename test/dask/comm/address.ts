import { test } from 'tap'
import { formatAddress, parseAddress } from '../../../lib/dask/comm/address.js'

const addresses: [text: string, protocol: 'tcp' | 'tls', host: string, port: number][] = [
  ['tcp://127.0.0.1:8786', 'tcp', '127.0.0.1', 8786],
  ['tls://dask.example.org:1', 'tls', 'dask.example.org', 1],
  ['tcp://[::1]:65535', 'tcp', '::1', 65535],
  ['tls://[fe80::1%eth0]:80', 'tls', 'fe80::1%eth0', 80],
]

for (const [text, protocol, host, port] of addresses) {
  test(`${text} is an address`, async t => {
    t.strictSame(parseAddress(text), { protocol, host, port })
    t.equal(formatAddress({ protocol, host, port }), text)
  })
}

test('without a protocol it is TCP', async t => {
  t.strictSame(parseAddress('localhost:8786'), { protocol: 'tcp', host: 'localhost', port: 8786 })
  t.strictSame(parseAddress('tcp://localhost:8786/'), { protocol: 'tcp', host: 'localhost', port: 8786 })
})

for (const text of [
  '',
  'localhost',
  'tcp://localhost',
  'tcp://:8786',
  'tcp://::1:8786',
  'tcp://a:65536',
  'tcp://a b:1',
]) {
  test(`'${text}' is no address`, async t => {
    t.throws(() => parseAddress(text), { code: 'INVALID_ARGUMENT', message: /not of the form tcp:\/\/host:port/ })
  })
}

test('other protocols of Dask are named', async t => {
  t.throws(() => parseAddress('ucx://10.0.0.1:8786'), { code: 'INVALID_ARGUMENT', message: /not ucx:\/\// })
})
