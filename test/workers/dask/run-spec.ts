import { test } from 'tap'
import { encodePayload, guard } from '../../../lib/dask/payload.js'
import { PyCall, PyGlobal, pyTuple } from '../../../lib/dask/pickle/objects.js'
import { dumps } from '../../../lib/dask/pickle/write.js'
import { Fields } from '../../../lib/dask/protocol/fields.js'
import { Pickled } from '../../../lib/dask/protocol/message.js'
import { specOf } from '../../../workers/dask/run-spec.js'

const payload = encodePayload({ type: 'data', value: 5 })
const importer = new PyGlobal('builtins', '__import__')
const message = (fields: object) => Object.assign(new Fields(), { op: 'compute-task', key: 'k' }, fields)
const textOf = (fields: object) => {
  const spec = specOf('k', message(fields))
  return spec.type === 'refused' ? spec.error.message : spec.type
}
/** As a scheduler writes a task since 2024.11: the class, then its slots in the order of their names. */
const task = (func: unknown, args: unknown) =>
  Pickled.of(
    new PyCall(
      new PyGlobal('dask._task_spec', 'Task'),
      [],
      pyTuple(false, new Set(['d']), null, null, null, args, func, 'k', new Map()),
    ),
  )

test('a payload is found in every form that schedulers send', async t => {
  const args = pyTuple(guard, payload, ['d'])
  const forms = {
    'two pickles, until 2023.8.0': { function: dumps(importer), args: dumps(args), run_spec: null },
    'a function and its arguments, until 2024.10': { run_spec: Pickled.of(pyTuple(importer, args)) },
    'one tuple': { run_spec: Pickled.of(pyTuple(importer, ...args)) },
    'a Task, since 2024.11': { run_spec: task(importer, args) },
    'whatever the function is called': { run_spec: task(new PyGlobal('_builtins', '__import__'), args) },
  }
  for (const [name, form] of Object.entries(forms))
    t.strictSame(specOf('k', message(form)), { type: 'data', value: 5 }, name)
})

test('a task of Python is refused by name', async t => {
  const add = new PyGlobal('_operator', 'add')
  const named = 'Task k is a Python task (_operator.add); this is a Node worker.'
  t.equal(textOf({ function: dumps(add), args: dumps(pyTuple(1, 2)) }), named)
  t.equal(textOf({ run_spec: Pickled.of(pyTuple(add, pyTuple(1, 2))) }), named)
  t.equal(textOf({ run_spec: task(add, pyTuple(1, 2)) }), named)
  const lambda = new PyCall(new PyGlobal('cloudpickle.cloudpickle', '_make_function'), [])
  t.equal(textOf({ run_spec: task(lambda, pyTuple()) }), 'Task k is a Python task; this is a Node worker.')
  t.equal(textOf({ run_spec: null }), 'Task k is a Python task; this is a Node worker.')
})

test('what cannot be read is refused too, and nothing is thrown', async t => {
  const damaged = { run_spec: new Pickled({ 'pickled-obj': Buffer.from('no pickle'), compression: [] }, []) }
  t.match(textOf(damaged), /^Task k cannot be read by this Node worker: /)
  const other = { run_spec: Pickled.of(pyTuple(importer, pyTuple(guard, Buffer.from('no payload')))) }
  t.match(textOf(other), /^Task k cannot be read by this Node worker: /)
})
