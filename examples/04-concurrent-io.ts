// Tasks that wait for I/O overlap on the event loop. A limit keeps the other side from being flooded.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { ConcurrentExecutor, flow, task } from 'mintaka'

let open = 0
let most = 0
const server = createServer(async (request, response) => {
  open += 1
  most = Math.max(most, open)
  await delay(20)
  open -= 1
  response.end(JSON.stringify({ path: request.url, bytes: (request.url ?? '').length }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const fetchPage = task(
  'fetch page',
  async (page: number) => {
    const response = await fetch(`http://127.0.0.1:${port}/pages/${page}`)
    return ((await response.json()) as { bytes: number }).bytes
  },
  { retries: 2, retryDelayMs: 100, timeoutMs: 5_000 },
)
const sum = task('sum', (sizes: number[]) => sizes.reduce((a, b) => a + b, 0))

const crawl = flow('crawl', (pages: number) => sum(Array.from({ length: pages }, (_, page) => fetchPage(page))), {
  executor: new ConcurrentExecutor({ concurrency: 5 }),
})

console.log(`${await crawl(30)} bytes from 30 pages, ${most} requests at once at most`)
server.closeAllConnections()
server.close()
