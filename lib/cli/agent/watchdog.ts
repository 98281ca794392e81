/**
 * A thread in the process of a run that ends the process when its agent is gone, for a run whose code never lets the main
 * thread see that: nobody would be left to hold it to its limits.
 */
import { workerData } from 'node:worker_threads'

const { agent } = workerData as { readonly agent: number }
const lookEveryMs = 1000

let looks = 0
setInterval(() => {
  if (process.ppid === agent) return
  looks += 1
  if (looks > 2) process.kill(process.pid, 'SIGKILL') // the main thread has had its time to end by itself
}, lookEveryMs)
