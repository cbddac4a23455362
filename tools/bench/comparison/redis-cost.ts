import { measureArrangement } from '../rows/scaling.js'
import { startSandbox } from '../sides.js'
import { atMost } from '../table.js'
import { CPU_LIMIT, PairedFigure, sidesInTurn, type Comparison } from './comparison.js'

const REDIS_LIMIT = 1.1
const ARRANGEMENT = { masters: 1, pairs: 1, streams: 16 }

export const redisCost: Comparison = {
  name: 'redis',
  title: 'CPU of Redis and of the gateway for each log event, taken in by web and delivered by a worker',
  async run (bench, builds) {
    const sandbox = await startSandbox(bench.processes)
    const redis = new PairedFigure('Redis', 'µs/event', atMost(REDIS_LIMIT))
    const gateway = new PairedFigure('web and worker', 'µs/event', atMost(CPU_LIMIT))
    for (let round = 0; round < bench.rounds; round++) {
      for (const side of sidesInTurn(round)) {
        bench.progress(`redis: round ${round + 1} of ${bench.rounds}: ${side}`)
        const { redisMicros, gatewayRate } = await measureArrangement(bench, sandbox, ARRANGEMENT, builds[side])
        redis.add(side, redisMicros)
        gateway.add(side, 1e6 / gatewayRate)
      }
      bench.reportRound(`redis: round ${round + 1} of ${bench.rounds}: ${redis.describeRound()}`)
    }
    await sandbox.kill()
    return [{
      title: 'Redis: CPU for each log event, 10 in a request, 16 streams, taken in and delivered',
      lines: [redis, gateway].flatMap(figure => figure.lines(builds)),
      notes: ['User and system time of all threads, after a warm-up with four times as many events.']
    }]
  }
}
