import { createInterface } from 'node:readline'
import { Failure } from './print.js'

/**
 * Whether a person at the terminal says yes; Ctrl-C and the end of the input are no. Where there is no terminal, it is a
 * failure that tells how to say so beforehand.
 */
export async function confirm(question: string, saidBy: string): Promise<boolean> {
  const { stdin, stderr } = process
  if (!stdin.isTTY || !stderr.isTTY) throw new Failure(`${question} Nobody is here to be asked: say so by ${saidBy}.`)
  const asking = createInterface({ input: stdin, output: stderr })
  try {
    return await new Promise(resolve => {
      asking.once('close', () => resolve(false))
      asking.question(`${question} [y/N] `, answer => resolve(/^y(es)?$/i.test(answer.trim())))
    })
  } finally {
    asking.close()
  }
}
