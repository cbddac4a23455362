import { createHash } from 'node:crypto'
import { DAY_MS, type MonotonicMs } from '../../../schemas/common.js'
import { ask } from '../../redis/ask.js'
import { sendAll, type RedisClient, type RedisCommand } from '../../redis/redis-client.js'
import { CircuitBreaker } from '../../resilience/circuit-breaker.js'
import { CATCH_ALL_INDEX, CLAIM_SERIES } from './claim-series.lua.js'
import {
  AS_IT_IS, CATCH_ALL, LocalSeriesTable, type Collapse, type SeriesClaim, type SeriesTable
} from './series-table.js'

/** How long a request waits for Redis before its process decides alone. */
const REDIS_TIMEOUT_MS = 250
/** After one command without an answer, for how long a process decides alone. */
const BREAKER = { failureThreshold: 1, openDurationMs: 1_000 }
/** Series in one run of the script, a few milliseconds at most: Redis answers nobody else while it runs. */
const MAX_SERIES_PER_RUN = 200
/**
 * How long the series of a day are kept after the last of its requests: longer than the day, whatever the clocks say.
 */
const KEPT_MS = DAY_MS + 3_600_000

export interface RedisSeriesTableOptions {
  /** Shared, not closed here. */
  redis: RedisClient
  /** Its keys start with this. */
  prefix: string
  now: () => MonotonicMs
}

/** Claims for one run of the script. */
interface Run {
  scope: string
  limit: number
  /** The indexes of the claims. */
  indexes: number[]
}

function cutRuns (claims: readonly SeriesClaim[]): Run[] {
  const runs: Run[] = []
  const open = new Map<string, Run>()
  for (const [index, { scope, limit }] of claims.entries()) {
    let run = open.get(scope)
    if (run === undefined || run.indexes.length === MAX_SERIES_PER_RUN) {
      run = { scope, limit, indexes: [] }
      open.set(scope, run)
      runs.push(run)
    }
    run.indexes.push(index)
  }
  return runs
}

function toCollapse (indexes: number[]): Collapse {
  if (indexes.length === 0) return AS_IT_IS
  return indexes[0] === CATCH_ALL_INDEX ? CATCH_ALL : indexes
}

/**
 * The series of a fleet, in Redis: one round trip for all claims of a request. While Redis does not answer, each
 * process goes on from the series that it has seen.
 */
export class RedisSeriesTable implements SeriesTable {
  readonly #redis: RedisClient
  readonly #prefix: string
  readonly #breaker: CircuitBreaker
  readonly #local = new LocalSeriesTable()

  constructor ({ redis, prefix, now }: RedisSeriesTableOptions) {
    this.#redis = redis
    this.#prefix = prefix
    this.#breaker = new CircuitBreaker({ ...BREAKER, now })
  }

  async claim (day: number, claims: readonly SeriesClaim[]): Promise<Collapse[]> {
    const collapses = await ask(() => this.#run(day, claims), REDIS_TIMEOUT_MS, this.#breaker)
    if (collapses === null) return this.#local.claim(day, claims)
    this.#local.learn(day, claims, collapses)
    return collapses
  }

  /** @throws Error when Redis refuses one of the runs */
  async #run (day: number, claims: readonly SeriesClaim[]): Promise<Collapse[]> {
    const runs = cutRuns(claims)
    const answers = await sendAll(this.#redis, runs.map(run => this.#command(day, claims, run))) as number[][][]
    const collapses: Collapse[] = []
    for (const [i, { indexes }] of runs.entries()) {
      for (const [j, index] of indexes.entries()) collapses[index] = toCollapse(answers[i]![j]!)
    }
    return collapses
  }

  #command (day: number, claims: readonly SeriesClaim[], { scope, limit, indexes }: Run): RedisCommand {
    const series = indexes.flatMap(index => [claims[index]!.pairs.length, ...claims[index]!.pairs.flat()])
    return ['eval', CLAIM_SERIES, 1, this.#key(day, scope), limit, KEPT_MS, ...series]
  }

  /** On a cluster each scope is in a slot of its own. */
  #key (day: number, scope: string): string {
    const name = this.#redis.isCluster ? 'series' : '{series}'
    return `${this.#prefix}:${name}:${day}:${createHash('sha1').update(scope).digest('base64url')}`
  }
}
