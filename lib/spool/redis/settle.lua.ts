import { COMMON } from './common.lua.js'

/**
 * Ends a lease with the outcomes of its items.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] ARGV[2] ARGV[3] name of the lease, its destination, number of its entries
 * ARGV[4] ARGV[5] ARGV[6] its records, items and bytes of lines
 * ARGV[7] milliseconds before which the destination is not due, or -1
 * ARGV[8] 1 when an item has met its outcome
 * ARGV[9] when its oldest entry was appended, in Unix milliseconds
 * ARGV[10] ARGV[11] channel and name of the shard, to tell when its remainder is due
 * ARGV[12] number of ledger counters, then each: name, increment
 * then number of dead letters, each: its id without the time, JSON without the id, bytes of its line
 * then number of entries of the remainder, each: "records items bytes lineBytes", value
 * then milliseconds until the unread records are due, and the number of their queues, each: name without the
 *   application, number of entries, each likewise
 *
 * Returns the bytes of lines now stored, or -1 when the lease is not held any more; then nothing has changed.
 */
export const SETTLE = `${COMMON}
local lease, dest, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local delayMs, progress = tonumber(ARGV[7]), ARGV[8] == '1'
local ids = held(dest, lease, count)
if not ids then return -1 end
local now = clock()

-- The removals come first: once a script has written, a server that is out of memory lets it finish.
each(ids, {'XACK', stream(dest), group})
each(ids, {'XDEL', stream(dest)})
forgetLease(dest, lease)
addStored(dest, 0 - ARGV[4], 0 - ARGV[5], 0 - ARGV[6])

local i = 13
for _ = 1, tonumber(ARGV[12]) do
  redis.call('HINCRBY', counters, ARGV[i], ARGV[i + 1])
  i = i + 2
end

local newDeadLetters = tonumber(ARGV[i])
i = i + 1
local diedAt
if newDeadLetters > 0 then
  -- Later than every dead letter before, whose ids may have been made by another clock.
  local last = redis.call('ZRANGE', deadLetterIds, -1, -1)[1]
  diedAt = string.format('%015.0f', math.max(now, last and tonumber(string.sub(last, 1, 15)) + 1 or 0))
end
for _ = 1, newDeadLetters do
  local id = diedAt .. ARGV[i]
  redis.call('HSET', deadLetters, id, '{"id":"' .. id .. '",' .. string.sub(ARGV[i + 1], 2))
  redis.call('ZADD', deadLetterIds, 0, id)
  redis.call('HINCRBY', counters, 'letters', 1)
  redis.call('HINCRBY', counters, 'letterBytes', ARGV[i + 2])
  i = i + 3
end

local remaining = tonumber(ARGV[i])
if remaining > 0 then
  local appendedAt = tonumber(ARGV[9])
  local id = store(dest, appendedAt, i + 1, remaining)
  local back = redis.call('HGET', state, 'back:' .. dest)
  if back then appendedAt = math.min(appendedAt, tonumber(string.match(back, '%d+'))) end
  redis.call('HSET', state, 'back:' .. dest, string.format('%.0f', appendedAt) .. ' ' .. id)
end

i = i + 1 + 2 * remaining
local unreadDelayMs, queues = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
local application = applicationOf(dest) or ''
i = i + 2
for _ = 1, queues do
  local queue, entries = queueFor(ARGV[i], application), tonumber(ARGV[i + 1])
  store(queue, tonumber(ARGV[9]), i + 2, entries)
  schedule(queue, now + unreadDelayMs)
  i = i + 2 + 2 * entries
end

if progress or delayMs < 0 then redis.call('HDEL', state, 'attempt:' .. dest)
else redis.call('HINCRBY', state, 'attempt:' .. dest, 1) end

if delayMs > 0 then holdUntil(dest, now + delayMs) end
if not refresh(dest, now) then
  if remaining > 0 then
    tell(ARGV[10], ARGV[11], schedule(dest, now + math.max(0, delayMs)), now)
  elseif redis.call('ZSCORE', due, dest) then schedule(dest, math.huge) end
end
return tonumber(redis.call('HGET', counters, 'lineBytes'))
`
