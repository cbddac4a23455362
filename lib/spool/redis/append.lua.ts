import { COMMON } from './common.lua.js'

/**
 * Stores the entries of several appends, of each append all or none.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] id of this call; a call with an id of the last minute changes nothing and returns the same again
 * ARGV[2] linger in milliseconds
 * ARGV[3] ARGV[4] items and bytes of a full batch
 * ARGV[5] maximum of stored bytes
 * ARGV[6] ARGV[7] channel and name of the shard, to tell when it has something due earlier than before
 * then for each append: destination, application or '', urgent (0 or 1), mark or '', value of the mark, its seconds to
 *   live, bytes of lines, number of entries, then for each entry: "records items bytes lineBytes", value
 *
 * Returns for each append '' when it is stored, '!' when the spool is full, or '=' and the value of its mark when that
 * was stored before; last the bytes of lines now stored.
 */
export const APPEND = `${COMMON}
local resultsKey = base .. ':f:' .. ARGV[1]
local known = redis.call('GET', resultsKey)
if known then return cjson.decode(known) end

local lingerMs, maxBytes = tonumber(ARGV[2]), tonumber(ARGV[5])
local limitItems, limitBytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local now, wall = clock()
local results, i = {}, 8
local soonest, tellAt = soonestDue(), nil

local function append(destination, application, urgent, key, answer, ttl, lineBytes, at, count)
  if key ~= '' then
    local known = redis.call('GET', base .. ':k:' .. key)
    if known then return '=' .. known end
  end
  if tonumber(redis.call('HGET', counters, 'lineBytes') or 0) + lineBytes > maxBytes then return '!' end
  if key ~= '' then redis.call('SET', base .. ':k:' .. key, answer, 'EX', ttl) end
  local dest = queueFor(destination, application)
  local id, items = store(dest, wall, at, count)
  redis.call('HINCRBY', counters, 'accepted', items)
  if not id then return '' end
  if urgent == '1' then redis.call('HSET', state, 'urgent:' .. dest, id) end
  local ready = urgent == '1' or isBatchReady(dest, limitItems, limitBytes)
  local dueAt, dueBefore = schedule(dest, ready and now or now + lingerMs)
  if dueAt < soonest or (dueAt <= now and dueBefore > now) then
    soonest = math.min(soonest, dueAt)
    tellAt = math.min(tellAt or dueAt, dueAt)
  end
  return ''
end

while i <= #ARGV do
  local count = tonumber(ARGV[i + 7])
  results[#results + 1] = append(
    ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], tonumber(ARGV[i + 6]), i + 8, count)
  i = i + 8 + 2 * count
end
results[#results + 1] = redis.call('HGET', counters, 'lineBytes') or '0'
redis.call('SET', resultsKey, cjson.encode(results), 'EX', 60)
if tellAt then tell(ARGV[6], ARGV[7], tellAt, now) end
return results
`
