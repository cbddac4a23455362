import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { watchCommands } from '../../tools/shared/redis-commands.js'
import { startGateway } from '../helpers/app.js'
import { startServer } from '../helpers/redis-server.js'

/** After the start, until the first round of everything that a process does now and then is over. */
const SETTLE_MS = 2_000
const SECONDS = 10

/** Commands a second of an idle process: two for revocations, and what docs/scaling.md says of the shards. */
for (const [shards, limit] of [[1, 3.5], [3, 4.5]] as const) {
  t.test(`an idle process that forwards sends at most ${limit} commands a second to ${shards} shards`, async t => {
    const server = await startServer(t)
    await startGateway(t, { REDIS_URL: server.url, REDIS_SHARDS: String(shards), FLUSH_INTERVAL_MS: '1000' })
    await sleep(SETTLE_MS)
    const { counts, stop } = await watchCommands(server.url)
    t.teardown(stop)
    await sleep(SECONDS * 1_000)
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
    t.comment(`${total / SECONDS} commands a second: ${JSON.stringify(Object.fromEntries(counts))}`)
    t.ok(total > 0)
    t.ok(total <= limit * SECONDS, `${total} commands in ${SECONDS} s`)
  })
}
