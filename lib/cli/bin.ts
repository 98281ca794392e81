#!/usr/bin/env node
import nodeModule from 'node:module'
import { careForOutput, exitCodeAfter } from './output.js'

// From Node 22.8 on, what has been compiled once is kept in the folder for temporary files.
if ('enableCompileCache' in nodeModule && typeof nodeModule.enableCompileCache === 'function')
  nodeModule.enableCompileCache()

careForOutput()

// Not awaited here: what a user's file leaves open (a server, a pool of connections) would keep the process alive.
void import('./main.js')
  .then(({ main }) => main(process.argv.slice(2)))
  .then(code => {
    process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCodeAfter(code))))
  })
