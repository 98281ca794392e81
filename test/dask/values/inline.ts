import tap, { test } from 'tap'
import { PyGlobal } from '../../../lib/dask/pickle/objects.js'
import { loads } from '../../../lib/dask/pickle/read.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { decodeValue } from '../../../lib/dask/values/decode.js'
import { encodeValue } from '../../../lib/dask/values/encode.js'
import { readType, typeWithResult } from '../../../lib/dask/values/inline.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { askPython } from '../../fixtures/dask/python.js'
import { survives } from '../../fixtures/fuzz.js'

tap.setTimeout(240_000)

const values = [null, 7, { a: [1] }, Buffer.from('bytes'), new Uint8Array([1]), new Map([[1, 2]]), 'x'.repeat(400)]

test('a small result travels in its type', async t => {
  for (const value of values) {
    const encoded = encodeValue(value)
    const { typeName, nbytes, result } = readType(typeWithResult(encoded, 1_000))
    t.equal(typeName, encoded.typeName)
    t.equal(nbytes, encoded.nbytes)
    t.strictSame(decodeValue(result!), value)
  }
})

test('of a large one it tells the size', async t => {
  const encoded = encodeValue(Buffer.alloc(1_001))
  t.strictSame(readType(typeWithResult(encoded, 1_000)), { typeName: 'bytes', nbytes: 1_001 })
  t.strictSame(readType(typeWithResult(encoded, 0)), { typeName: 'bytes', nbytes: 1_001 })
})

test('a result of no size travels whatever the limit', async t => {
  const { result } = readType(typeWithResult(encodeValue(Buffer.alloc(0)), 0))
  t.strictSame(decodeValue(result!), Buffer.alloc(0))
})

test('the type is the class to whoever reads the pickle', async t => {
  const read = loads(typeWithResult(encodeValue({ a: 1 }), 1_000)) as PyGlobal
  t.equal(read.type, 'builtins.dict')
})

for (const environment of daskEnvironments()) {
  test(`Dask ${environment.version} sees the class`, async t => {
    const sent = values.flatMap(value =>
      [0, 1_000].map(most => typeWithResult(encodeValue(value), most).toString('base64')),
    )
    const script = `
from distributed.protocol.pickle import loads
tell([loads(unb64(data)).__name__ for data in sent])
`
    const names = ['NoneType', 'int', 'dict', 'bytes', 'bytes', 'bytes', 'str'].flatMap(name => [name, name])
    t.strictSame(await askPython(script, sent, environment), names)
  })
}

test('the type that somebody else wrote says its name, if that is what it is', async t => {
  t.strictSame(readType(dumps(new PyGlobal('builtins', 'dict'))), { typeName: 'dict' })
  t.strictSame(readType(dumps(new PyGlobal('numpy', 'ndarray'))), { typeName: 'numpy.ndarray' })
  for (const type of [dumps(Buffer.from('some bytes')), Buffer.alloc(0)]) t.strictSame(readType(type), {})
})

test('a damaged type is read or refused', async t => {
  survives(
    t,
    values.map(value => typeWithResult(encodeValue(value), 1_000)),
    bytes => readType(bytes),
    {
      count: 10_000,
      seed: 91,
    },
  )
})
