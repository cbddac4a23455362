import t from 'tap'
import { Explainer } from '../../../tools/chaos/explain.js'
import type { SentRequest } from '../../../tools/chaos/load.js'
import { readReplication } from '../../../tools/chaos/replicated/redis-node.js'
import { findTakeovers, type Sample, type Takeover } from '../../../tools/chaos/replicated/takeovers.js'

const NEVER = { formerHistory: '0', formerOffset: -2 }

function sample (
  at: number, role: Sample['role'], history: string, offset: number, former: Partial<Sample> = {}
): Sample {
  return { at, role, history, offset, ...NEVER, isLinked: role === 'replica', slots: null, ...former }
}

t.test('a takeover tells until when the new master had received all, by the bytes of both', async t => {
  const takeovers = findTakeovers(new Map([
    ['a', [
      sample(100, 'master', 'A', 10), sample(200, 'master', 'A', 20), sample(300, 'master', 'A', 30),
      sample(900, 'master', 'A2', 31), sample(950, 'replica', 'B', 50)
    ]],
    ['b', [
      sample(100, 'replica', 'A', 10), sample(300, 'replica', 'A', 25),
      sample(500, 'master', 'B', 25, { formerHistory: 'A', formerOffset: 25, slots: [[0, 99]] })
    ]],
    ['c', [sample(100, 'master', 'C', 10), sample(500, 'master', 'C', 90)]]
  ]))
  t.same(takeovers, [{ node: 'b', predecessor: 'a', receivedUntil: 200, endedAt: 950, slots: [[0, 99]] }])
})

t.test('a master that comes back before a replica has taken over is no takeover', async t => {
  t.same(findTakeovers(new Map([
    ['a', [sample(100, 'master', 'A', 10), sample(900, 'master', 'A2', 10)]],
    ['b', [sample(100, 'replica', 'A', 10), sample(900, 'replica', 'A2', 12)]]
  ])), [])
})

t.test('what a node says of its replication is read', async t => {
  const master = [
    'role:master', 'slave0:ip=127.0.0.1,port=1,state=online,offset=40,lag=0', 'master_replid:aa', 'master_replid2:bb',
    'master_repl_offset:42', 'second_repl_offset:31'
  ]
  t.same(readReplication(master.join('\r\n')), {
    role: 'master', history: 'aa', offset: 42, formerHistory: 'bb', formerOffset: 30, isLinked: false
  })
  const replica = 'role:slave\r\nmaster_link_status:up\r\nmaster_repl_offset:7'
  t.match(readReplication(replica), { role: 'replica', offset: 7, isLinked: true })
})

const TAKEOVER: Takeover = { node: 'b', predecessor: 'a', receivedUntil: 1_000, endedAt: 2_000, slots: null }

function mayHaveLost (request: Partial<SentRequest>, isConfirmed: boolean): boolean {
  const explainer = new Explainer([], [], () => false, { takeovers: [TAKEOVER], shards: null, isConfirmed })
  return explainer.mayHaveLostRecords({ verdict: 'accepted', answeredAt: 0, ...request } as SentRequest)
}

t.test('accepted items may be lost in a takeover alone, and with SPOOL_SYNC=always not even then', async t => {
  t.notOk(mayHaveLost({ sentAt: 990, answeredAt: 999 }, false), 'answered when the replica had all')
  t.ok(mayHaveLost({ sentAt: 990, answeredAt: 1_001 }, false))
  t.ok(mayHaveLost({ sentAt: 2_000, answeredAt: 2_010 }, false), 'by the old master')
  t.notOk(mayHaveLost({ sentAt: 2_001, answeredAt: 2_010 }, false), 'the old master was a replica')
  t.notOk(mayHaveLost({ sentAt: 1_500, answeredAt: 1_510 }, true))
  t.ok(mayHaveLost({ verdict: 'unknown', sentAt: 1_500, endedAt: 1_510 }, true), 'nothing was promised')
})
