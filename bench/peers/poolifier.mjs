import { ThreadWorker } from 'poolifier'
import { increment } from './tiny.mjs'
import { work } from './work.mjs'

export default new ThreadWorker({ increment, work })
