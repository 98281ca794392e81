export { checkFile, type Finding } from './check.js'
export { type CallSite, callSite } from './locate.js'
export { type Shipment, ship } from './ship.js'
