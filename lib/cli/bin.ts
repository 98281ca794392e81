#!/usr/bin/env node
import nodeModule from 'node:module'

// From Node 22.8 on, what has been compiled once is kept in the folder for temporary files.
if ('enableCompileCache' in nodeModule && typeof nodeModule.enableCompileCache === 'function')
  nodeModule.enableCompileCache()

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit() // who read has gone: `mintaka flow-run ls | head -1`
  })
}

// Not awaited here: what a user's file leaves open (a server, a pool of connections) would keep the process alive.
void import('./main.js')
  .then(({ main }) => main(process.argv.slice(2)))
  .then(code => {
    process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
  })
