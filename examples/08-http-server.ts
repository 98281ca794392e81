// Flows in an application: an engine with its own store and logger, a flow run per request.

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEngine, flow, isMintakaError, MemoryStore, task } from 'mintaka'
import { z } from 'zod'

const lines: string[] = []
const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
const engine = createEngine({ store: new MemoryStore(), logger, logLevel: 'info' })

const quote = task('quote', async (item: string, pieces: number) => item.length * pieces)
const discount = task('discount', (price: number) => (price > 50 ? price * 0.9 : price))

const order = flow('order', ({ item, pieces }: { item: string; pieces: number }) => discount(quote(item, pieces)), {
  parameters: z.object({ item: z.string().min(1), pieces: z.coerce.number().int().min(1) }),
  timeoutMs: 2_000,
})

const server = createServer(async (request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const gone = new AbortController()
  response.on('close', () => gone.abort()) // who hangs up cancels the run; nothing happens to one that has ended
  const parameters = Object.fromEntries(searchParams) as { item: string; pieces: string }
  const run = engine.run(order, parameters, { signal: gone.signal })
  const state = await run.wait()
  if (state.type === 'COMPLETED') return answer(response, 200, { price: state.result })
  answer(response, isMintakaError(state.error, 'INVALID_PARAMETERS') ? 400 : 500, { error: state.message })
})

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
for (const query of ['item=star&pieces=3', 'item=telescope&pieces=10', 'item=star&pieces=none']) {
  const response = await fetch(`http://127.0.0.1:${port}/?${query}`)
  console.log(response.status, await response.text())
}
server.closeAllConnections()
server.close()

const runs = await engine.flowRuns.list()
console.log(runs.map(({ run }) => run.state.name).reverse())
console.log(`${lines.filter(line => line.startsWith('error')).length} line of the log is an error`)
await engine.close({ timeoutMs: 5_000 })
