import t from 'tap'
import { LogStreamSplitter, readLogStreamShards } from '../../../lib/access/log-stream-shards.js'
import { application } from '../../helpers/applications.js'

t.test('a number counts for every log stream, and a glob with one for its own', async t => {
  t.same(readLogStreamShards(['4']), { '*': 4 })
  t.same(readLogStreamShards(['a=b=2', '/web/*:errors=3', '8']), { 'a=b': 2, '/web/*:errors': 3, '*': 8 })
  t.same(readLogStreamShards(['hot =4']), { hot: 4 })
  t.same(readLogStreamShards([]), {})
  t.equal(readLogStreamShards(['a=2', 'a=3']), null)
  t.equal(readLogStreamShards(['2', '*=3']), null)
})

t.test('the narrowest glob counts, in whatever order they stand', async t => {
  const shards = { '*': 2, 'checkout*': 4, 'checkout-audit': 1, '/web/shop:checkout*': 8 }
  for (const order of [Object.entries(shards), Object.entries(shards).reverse()]) {
    const splitter = new LogStreamSplitter(Object.fromEntries(order))
    const shardsOf = (group: string, stream: string) => splitter.shardsOf(application(), group, stream)
    t.equal(shardsOf('/any', 'other'), 2)
    t.equal(shardsOf('/any', 'checkout'), 4)
    t.equal(shardsOf('/any', 'checkout-audit'), 1)
    t.equal(shardsOf('/web/shop', 'checkout'), 8)
  }
})

t.test('an application with shards of its own goes by them alone', async t => {
  const splitter = new LogStreamSplitter({ '*': 2 })
  const own = application({ logStreamShards: { hot: 5 } })
  t.equal(splitter.shardsOf(own, '/g', 'hot'), 5)
  t.equal(splitter.shardsOf(own, '/g', 'calm'), 1)
  t.equal(splitter.shardsOf(application(), '/g', 'hot'), 2)
  t.equal(new LogStreamSplitter({ '*': 1 }).shardsOf(application(), '/g', 'hot'), 1)
})
