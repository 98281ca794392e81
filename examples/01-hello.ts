// A flow is a function. A task is a function whose every call is tracked: a call gives a future at once.

import { flow, task } from 'mintaka'

const greet = task('greet', (name: string) => `Hello, ${name}!`)

const hello = flow('hello', (names: string[]) => {
  const greetings = names.map(greet) // a future each; nothing has been waited for
  console.log(`${greetings.length} task runs, the first is ${greetings[0]?.state.name}`)
  return greetings // a flow may return futures: its value has their values in place
})

const run = hello(['Alnitak', 'Alnilam', 'Mintaka'])
console.log(await run)
console.log(`the flow run is ${run.state.name}`)
