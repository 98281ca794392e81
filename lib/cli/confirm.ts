import { createInterface } from 'node:readline/promises'
import { Failure } from './print.js'

/** Whether a person at the terminal says yes. Where there is none, it is a failure that tells how to say so beforehand. */
export async function confirm(question: string, saidBy: string): Promise<boolean> {
  const { stdin, stderr } = process
  if (!stdin.isTTY || !stderr.isTTY) throw new Failure(`${question} Nobody is here to be asked: say so by ${saidBy}.`)
  const asking = createInterface({ input: stdin, output: stderr })
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim())
  } finally {
    asking.close()
  }
}
