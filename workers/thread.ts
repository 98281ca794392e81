/** The door of a pool's thread: Piscina calls it once, calls come by the port that it is given. */
import { Clock } from '../lib/threads/clock.js'
import type { Parcel, ThreadStart } from '../lib/threads/protocol.js'
import { Slots } from '../lib/threads/slots.js'
import { printAtHome } from './console.js'
import { post, postBy } from './context.js'
import { installDoor } from './door.js'
import { homeBy } from './home.js'
import { Runner } from './runner.js'
import { setUp } from './set-up.js'
import { watchStrays } from './strays.js'

// Before anything of the user's is loaded: stacks are in the lines of the files that people wrote.
process.setSourceMapsEnabled(true)
installDoor()
printAtHome(console)

export default function thread({ memory, port, setup }: ThreadStart): void {
  postBy(port)
  homeBy(own => post({ type: 'home', port: own }, [own]))
  watchStrays()
  const runner = new Runner(new Slots(memory), port, new Clock())
  const begin = (): void => void port.on('message', (parcel: Parcel) => runner.receive(parcel))
  // What is sent meanwhile waits in the port.
  if (setup) void setUp(setup).then(isReady => isReady && begin())
  else begin()
}
