import { DaskExecutor } from 'mintaka'
import { test } from 'tap'

test('an address and options of a temporary cluster exclude each other', t => {
  const address = 'tcp://127.0.0.1:8786'
  for (const [option, value] of Object.entries({
    cluster: 'distributed.LocalCluster',
    clusterOptions: { workers: 1 },
    adapt: { minimum: 1, maximum: 2 },
    resubmit: true,
  })) {
    // @ts-expect-error: the types say so too
    t.throws(() => new DaskExecutor({ address, [option]: value } as { address: string; cluster: string }), {
      code: 'INVALID_OPTION',
      option,
    })
  }
  t.end()
})

test('an option that cannot be is refused at once, and named', t => {
  const refused: [object, RegExp][] = [
    [{ adress: 'tcp://127.0.0.1:8786' }, /no option 'adress'/],
    [{ address: '127.0.0.1:8786' }, /'address' of DaskExecutor should be an address, 'tcp:\/\/host:8786'/],
    [{ adapt: { minimum: 3, maximum: 1 } }, /'adapt'/],
    [{ adapt: { minimum: 1 } }, /'adapt'/],
    [{ cluster: 'LocalCluster' }, /dotted name/],
    [{ cluster: 5 }, /'cluster'/],
    [{ resubmit: 'yes' }, /'resubmit'/],
  ]
  for (const [options, sentence] of refused) t.throws(() => new DaskExecutor(options), { message: sentence })
  t.end()
})
