import t from 'tap'
import { Keys } from '../../../../lib/spool/redis/keys.js'

t.test('destinations that differ in their number alone take the shards in turn', async t => {
  for (const shards of [1, 3, 4, 7]) {
    const keys = new Keys('p', shards)
    for (const name of ['/g:hot-', '', 'n'.repeat(1_000)]) {
      const taken = Array.from({ length: 2 * shards }, (_, n) => keys.shardOf(`${name}${n}`))
      const first = keys.shardOf(`${name}0`)
      t.same(taken, taken.map((_, n) => (first + n) % shards), `${shards} shards`)
    }
  }
})

t.test('every destination has a shard', async t => {
  const keys = new Keys('p', 4)
  for (const name of ['/g:s', '/g:', '', '9', '/g:20261130', `/g:${'9'.repeat(500)}`, '/g:s٣']) {
    t.ok([0, 1, 2, 3].includes(keys.shardOf(name)), name)
  }
})

t.test('other names spread over the shards', async t => {
  const keys = new Keys('p', 4)
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 400; i++) counts[keys.shardOf(`/g:page-${i}-${(i * 7_919).toString(36)}x`)]!++
  t.ok(counts.every(count => count > 60 && count < 140), counts.join())
})

t.test('what a script tells is read, of processes of an earlier version, too', async t => {
  const keys = new Keys('p:q', 2)
  const [channel, shard] = keys.tells(keys.base('logs', 1))
  t.same([channel, shard], ['p:q:due', 'logs 1'])
  t.same(keys.readTold(`${shard} 250`), { kind: 'logs', bases: ['{p:q:logs:1}'], waitMs: 250 })
  t.same(keys.readTold('metrics'), { kind: 'metrics', bases: ['{p:q:metrics:0}', '{p:q:metrics:1}'], waitMs: 0 })
  t.equal(keys.readTold('something else'), null)
})
