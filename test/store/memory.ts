import { test } from 'tap'
import { MemoryStore } from '../../lib/store/memory.js'
import { storeSuite } from '../../lib/testing/store-suite.js'

test('MemoryStore is a store', async t => storeSuite(t, () => new MemoryStore()))
