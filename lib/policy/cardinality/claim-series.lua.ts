import { COLLAPSED_SHARE, MAX_STEPS } from './series-table.js'

/** Stands, alone, for the series that joins the catch-all series. */
export const CATCH_ALL_INDEX = -1

/**
 * Finds places for series of one scope, as the local table does.
 *
 * KEYS[1] hash of the scope and day:
 *   whole, folded   numbers of series that are taken as they are, and of collapsed ones
 *   s<sha1>         a series
 *   c<name>         number of distinct values of a dimension among the series that are taken as they are
 *   v<sha1>         one of these values
 * ARGV[1] limit
 * ARGV[2] milliseconds for which the hash is kept
 * ARGV[3...] for each series the number of its pairs, then name and value of each
 *
 * Returns for each series the indexes of the pairs to collapse, from 0, or CATCH_ALL_INDEX alone.
 */
export const CLAIM_SERIES = `
local hash = KEYS[1]
local limit = tonumber(ARGV[1])
local places = limit * ${COLLAPSED_SHARE}
local stored = redis.call('HMGET', hash, 'whole', 'folded')
local whole = tonumber(stored[1]) or 0
local extra = tonumber(stored[2]) or 0

local function key_of (pairs, collapsed)
  local parts = {}
  for i = 1, #pairs do
    parts[i] = collapsed[i] and pairs[i][1] or pairs[i][1] .. '\\0' .. pairs[i][2]
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
    local collapsed, indexes = {}, {}
    for i = 1, step == steps and #pairs or step do
      collapsed[order[i]] = true
      indexes[i] = order[i] - 1
    end
    key = key_of(pairs, collapsed)
    if redis.call('HEXISTS', hash, key) == 1 then return indexes end
    if extra < math.max(step, math.ceil(places * step / steps)) then
      extra = extra + 1
      redis.call('HSET', hash, key, '')
      return indexes
    end
  end
  return { ${CATCH_ALL_INDEX} }
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
redis.call('HSET', hash, 'whole', whole, 'folded', extra)
redis.call('PEXPIRE', hash, ARGV[2])
return answers
`
