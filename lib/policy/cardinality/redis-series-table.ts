import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { MonotonicMs } from '../../../schemas/common.js'
import { ask } from '../../redis/ask.js'
import { CircuitBreaker } from '../../resilience/circuit-breaker.js'
import { AS_IT_IS, COLLAPSED_SHARE, LocalSeriesTable, MAX_STEPS, type Collapse, type SeriesClaim, type SeriesTable } from './series-table.js'

/** How long a request waits for Redis before its process decides alone. */
const REDIS_TIMEOUT_MS = 250
/** After one command without an answer, for how long its process decides alone. */
const BREAKER = { failureThreshold: 1, openDurationMs: 1_000 }
/** Series in one run of the script, a few milliseconds at most: nobody else is answered while it runs. */
const MAX_SERIES_PER_RUN = 200
const DAY_MS = 24 * 3_600_000
/** After its day, for clocks that differ. */
const KEPT_MS = 3_600_000
const ALL = -1

/**
 * Finds places for series of one scope, as the local table does.
 * KEYS[1] hash of the scope and day:
 *   whole, folded   how many series are taken as they are, and folded
 *   s<sha1>         a series
 *   c<name>         distinct values of a dimension among the whole ones
 *   v<sha1>         one of them
 * ARGV[1] limit; ARGV[2] Unix milliseconds when all is forgotten; ARGV[3...] for each series the number of its pairs,
 * then name and value of each.
 * Returns for each series the indexes of the pairs to fold, from 0, or -1 alone.
 */
const CLAIM = `
local hash = KEYS[1]
local limit = tonumber(ARGV[1])
local places = limit * ${COLLAPSED_SHARE}
local stored = redis.call('HMGET', hash, 'whole', 'folded')
local whole = tonumber(stored[1]) or 0
local folded = tonumber(stored[2]) or 0

local function key_of (pairs, fold)
  local parts = {}
  for i = 1, #pairs do
    parts[i] = fold[i] and pairs[i][1] or pairs[i][1] .. '\\0' .. pairs[i][2]
  end
  return 's' .. redis.sha1hex(table.concat(parts, '\\1'))
end

local function take (pairs, key)
  whole = whole + 1
  redis.call('HSET', hash, key, '')
  for i = 1, #pairs do
    if redis.call('HSETNX', hash, 'v' .. redis.sha1hex(pairs[i][1] .. '\\0' .. pairs[i][2]), '') == 1 then
      redis.call('HINCRBY', hash, 'c' .. pairs[i][1], 1)
    end
  end
end

local function order_of (pairs)
  local order, counts = {}, {}
  for i = 1, #pairs do
    order[i] = i
    counts[i] = tonumber(redis.call('HGET', hash, 'c' .. pairs[i][1])) or 0
  end
  table.sort(order, function (a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  return order
end

local function claim (pairs)
  local key = key_of(pairs, {})
  if redis.call('HEXISTS', hash, key) == 1 then return {} end
  if whole < limit then
    take(pairs, key)
    return {}
  end
  local order = order_of(pairs)
  local steps = math.min(#pairs, ${MAX_STEPS + 1})
  for step = 1, steps do
    local fold, indexes = {}, {}
    for i = 1, step == steps and #pairs or step do
      fold[order[i]] = true
      indexes[i] = order[i] - 1
    end
    key = key_of(pairs, fold)
    if redis.call('HEXISTS', hash, key) == 1 then return indexes end
    if folded < math.max(step, math.ceil(places * step / steps)) then
      folded = folded + 1
      redis.call('HSET', hash, key, '')
      return indexes
    end
  end
  return { ${ALL} }
end

local answers = {}
local at = 3
while ARGV[at] do
  local pairs = {}
  for i = 1, tonumber(ARGV[at]) do
    pairs[i] = { ARGV[at + 2 * i - 1], ARGV[at + 2 * i] }
  end
  at = at + 1 + 2 * #pairs
  answers[#answers + 1] = claim(pairs)
end
redis.call('HSET', hash, 'whole', whole, 'folded', folded)
redis.call('PEXPIREAT', hash, ARGV[2])
return answers
`

export interface RedisSeriesTableOptions {
  /** Shared, not closed here. */
  redis: Pick<Redis, 'pipeline'>
  /** What its keys start with. */
  prefix: string
  now: () => MonotonicMs
}

interface Run {
  scope: string
  limit: number
  /** Of the claims. */
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

function toFold (answer: number[]): Collapse {
  if (answer.length === 0) return AS_IT_IS
  return answer[0] === ALL ? null : answer
}

/**
 * The series of a fleet, in Redis: one round trip for all claims of a request. While Redis does not answer, each
 * process goes on from what it has seen.
 */
export class RedisSeriesTable implements SeriesTable {
  readonly #redis: Pick<Redis, 'pipeline'>
  readonly #prefix: string
  readonly #breaker: CircuitBreaker
  readonly #local = new LocalSeriesTable()

  constructor ({ redis, prefix, now }: RedisSeriesTableOptions) {
    this.#redis = redis
    this.#prefix = prefix
    this.#breaker = new CircuitBreaker({ ...BREAKER, now })
  }

  async claim (day: number, claims: readonly SeriesClaim[]): Promise<Collapse[]> {
    const folds = await ask(() => this.#run(day, claims), REDIS_TIMEOUT_MS, this.#breaker)
    if (folds === null) return this.#local.claim(day, claims)
    this.#local.learn(day, claims, folds)
    return folds
  }

  /** @throws Error when Redis refuses one of the commands */
  async #run (day: number, claims: readonly SeriesClaim[]): Promise<Collapse[]> {
    const runs = cutRuns(claims)
    const answers = await this.#pipeline(day, claims, runs).exec()
    const folds: Collapse[] = []
    for (const [i, { indexes }] of runs.entries()) {
      const [error, answer] = answers![i]!
      if (error !== null) throw error
      for (const [j, index] of indexes.entries()) folds[index] = toFold((answer as number[][])[j]!)
    }
    return folds
  }

  #pipeline (day: number, claims: readonly SeriesClaim[], runs: Run[]): ReturnType<Redis['pipeline']> {
    const pipeline = this.#redis.pipeline()
    const forgottenAt = (day + 1) * DAY_MS + KEPT_MS
    for (const { scope, limit, indexes } of runs) {
      const series = indexes.flatMap(index => [claims[index]!.pairs.length, ...claims[index]!.pairs.flat()])
      pipeline.eval(CLAIM, 1, this.#key(day, scope), limit, forgottenAt, ...series)
    }
    return pipeline
  }

  /** One slot for all: a pipeline goes to one node. */
  #key (day: number, scope: string): string {
    return `${this.#prefix}:{series}:${day}:${createHash('sha1').update(scope).digest('base64url')}`
  }
}
