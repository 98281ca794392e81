import { parentPort } from 'node:worker_threads'
import { workUntil } from './work.mjs'

parentPort.on('message', sizes => {
  for (const size of sizes) parentPort.postMessage(workUntil(size))
})
