// Python functions as tasks: JavaScript and Python feed each other, and arrays of numpy stay where they are.
//
//   python3 -m pip install distributed numpy

import { DaskExecutor, flow, task } from 'mintaka'

const linspace = task.python<[number, number, number], object>('numpy:linspace')
const sin = task.python<[unknown], object>('numpy:sin')
const trapezoid = task.python<[unknown, unknown], number>('numpy:dot')
const factorial = task.python<[number], number>('math:factorial')

const steps = task('steps', (n: number) => n * 1000)
const round = task('round', (area: number) => Math.round(area * 1000) / 1000)
const scale = task('scale', (sum: number, n: number) => (sum * Math.PI) / n)
const ones = task.python<[number], object>('numpy:ones')

const main = flow(
  'area',
  async () => {
    const n = await steps(100) // computed by a Node worker
    const x = linspace(0, Math.PI, n)
    const heights = sin(x) // 100,000 numbers, which never leave Python
    const area = round(scale(trapezoid(heights, ones(n)), n - 1))
    return { area, factorial: factorial(10) }
  },
  { executor: new DaskExecutor({ clusterOptions: { workers: 1, threadsPerWorker: 1, pythonWorkers: 1 } }) },
)

console.log(await main())
