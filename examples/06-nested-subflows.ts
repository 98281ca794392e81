// Flows nest, and each brings its own executor: the values do not depend on which.
//
//   npx tsx examples/06-nested-subflows.ts sequential parallel

import { ConcurrentExecutor, type Executor, flow, ParallelExecutor, SequentialExecutor, task } from 'mintaka'

const executors: Record<string, () => Executor> = {
  sequential: () => new SequentialExecutor(),
  concurrent: () => new ConcurrentExecutor({ concurrency: 4 }),
  parallel: () => new ParallelExecutor({ threads: 2 }),
}

const square = task('square', (n: number) => n * n)
const later = task('later', async (n: number) => {
  await new Promise(resolve => setTimeout(resolve, n % 3))
  return n + 1
})
const sum = task('sum', (numbers: number[]) => numbers.reduce((a, b) => a + b, 0))

const child = flow('child', ({ numbers }: { numbers: number[] }) => sum(numbers.map(n => later(square(n)))))

const parent = flow('parent', async ({ inner }: { inner: Executor }) => {
  const first = square(3)
  const rows = child.with({ executor: inner })({ numbers: [1, 2, first] }) // the child waits for `first`
  const last = sum([rows, first]) // and `last` for the child
  const others = await Promise.all([10, 20].map(n => child.with({ executor: inner })({ numbers: [n, last] })))
  return { first, rows, last, others: sum(others) }
})

/** The value of the flow, with the parent's tasks on one executor and the children's on another. */
export async function nested(outer = 'sequential', inner = 'parallel') {
  const [one, other] = [executors[outer], executors[inner]]
  if (!one || !other) throw new Error(`The executors are ${Object.keys(executors).join(', ')}.`)
  return parent.with({ executor: one() })({ inner: other() })
}

console.log(JSON.stringify(await nested(process.argv[2], process.argv[3])))
