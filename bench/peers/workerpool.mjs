import workerpool from 'workerpool'
import { increment } from './tiny.mjs'
import { work } from './work.mjs'

workerpool.worker({ increment, work })
