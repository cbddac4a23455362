import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openRedisSpool } from '../../../lib/spool/redis/redis-spool.js'
import { connectTo } from '../../helpers/redis-forms.js'
import { spoolOptions } from '../spool/contract.js'

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

/**
 * A node that says that it has all slots, and sends every command with a key elsewhere.
 * @param breaksOff whether it ends the connection when it is asked for a slot that moves
 */
async function startMisleading (
  t: Test, redirection: 'MOVED' | 'ASK', breaksOff = false
): Promise<{ url: string, redirected: () => number }> {
  let redirected = 0
  const answer = (port: number, command: string): string => {
    const words = command.split('\r\n').filter((_, i) => i % 2 === 0).slice(1)
    const [name = '', argument = ''] = words.map(word => word.toLowerCase())
    if (name === 'hello') return '-ERR unknown command HELLO\r\n'
    if (name === 'info') return bulk('redis_version:7.0.15')
    const slots = `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${bulk('127.0.0.1')}:${port}\r\n`
    if (name === 'cluster') return argument === 'info' ? bulk('cluster_state:ok') : slots
    if (['ping', 'client', 'asking'].includes(name)) return '+OK\r\n'
    redirected++
    return `-${redirection} 1 127.0.0.1:${port}\r\n`
  }
  const server = createServer(socket => {
    const { port } = server.address() as AddressInfo
    socket.on('error', () => {})
    socket.setEncoding('utf8').on('data', (data: string) => {
      for (const command of data.split(/(?=\*\d+\r\n\$)/)) {
        if (breaksOff && /asking/i.test(command)) socket.destroy()
        else socket.write(answer(port, command))
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `redis://127.0.0.1:${port},127.0.0.1:${port}`, redirected: () => redirected }
}

for (const redirection of ['MOVED', 'ASK'] as const) {
  t.test(`${redirection} without end is an error, soon`, async t => {
    const { url, redirected } = await startMisleading(t, redirection)
    const redis = await connectTo(t, url)
    const startedAt = performance.now()
    await t.rejects(openRedisSpool({ ...spoolOptions(), redis, shards: 1, sync: 'commit' }), {
      name: 'SpoolUnavailableError', message: /Too many Cluster redirections/
    })
    t.ok(performance.now() - startedAt < 5_000)
    t.ok(redirected() >= 10 && redirected() < 100, `${redirected()} commands`)
  })
}

t.test('a connection that breaks while a slot is asked for leaves no rejection unhandled', async t => {
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown): void => { unhandled.push(error) }
  process.prependListener('unhandledRejection', onUnhandled)
  t.teardown(() => process.off('unhandledRejection', onUnhandled))
  const { url } = await startMisleading(t, 'ASK', true)
  const redis = await connectTo(t, url)
  await t.rejects(redis.get('key'))
  await sleep(100)
  t.same(unhandled, [])
})
