// A bare worker that gets all its work in one message, and answers once.
import { parentPort } from 'node:worker_threads'
import { work } from './work.mjs'

parentPort.on('message', sizes => {
  let sum = 0
  for (const blocks of sizes) sum += work(blocks)
  parentPort.postMessage(sum)
})
