import t from 'tap'
import { findPort } from '../../../tools/shared/ports.js'
import { refusalOf } from '../../helpers/redis-forms.js'
import { startServer } from '../../helpers/redis-server.js'

const namesSetting = /^Redis at rediss?(\+sentinel)?:\/\/[^@]+ cannot be used: .*REDIS_URL/s

t.test('what is no single primary is refused, and says what it is', async t => {
  const primary = await startServer(t)
  const replica = await startServer(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const [one, other] = [await findPort(), await findPort()]
  const strangers = `redis://127.0.0.1:${primary.port},127.0.0.1:${replica.port}`
  const cases: Array<[what: string, url: string, told: RegExp]> = [
    ['a replica', replica.url, /it is a replica/],
    ['a node of no cluster among several', strangers, /127\.0\.0\.1:\d+ is no node of a cluster/],
    ['nobody', `redis://127.0.0.1:${one},127.0.0.1:${other}`, /none of its nodes can be reached/],
    ['no Sentinel', `redis+sentinel://127.0.0.1:${one}/main`, /no Sentinel answers.*ECONNREFUSED/],
    ['TLS where there is none', primary.url.replace('redis:', 'rediss:'), /cannot be used/]
  ]
  for (const [what, url, told] of cases) {
    const message = await refusalOf(url)
    t.match(message, told, what)
    t.match(message, namesSetting, what)
  }
})
