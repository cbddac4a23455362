import { COMMON } from './common.lua.js'

/** Takes a letter out of the dead letters; true when it was there. */
const TAKE_OUT = `
local function takeOut(id, lineBytes)
  if redis.call('HDEL', letters, id) == 0 then return false end
  redis.call('ZREM', letterIds, id)
  redis.call('HINCRBY', counters, 'letters', -1)
  redis.call('HINCRBY', counters, 'letterBytes', 0 - lineBytes)
  return true
end
`

/**
 * Appends a dead letter again and takes it out.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] ARGV[2] ARGV[3] ARGV[4] id of the letter, its destination, its items, bytes of its line
 * ARGV[5] linger in milliseconds
 * ARGV[6] maximum of stored bytes
 * ARGV[7] "records items bytes lineBytes" of its chunk
 * ARGV[8] the chunk
 *
 * Returns 1, 0 when it is gone already, or -1 when the spool is full.
 */
export const REDRIVE = `${COMMON}${TAKE_OUT}
local id, dest, items, lineBytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('HEXISTS', letters, id) == 0 then return 0 end
if tonumber(redis.call('HGET', counters, 'lineBytes') or 0) + lineBytes > tonumber(ARGV[6]) then return -1 end
local now = clock()
store(dest, now, 7, 1)
takeOut(id, lineBytes)
redis.call('HINCRBY', counters, 'deadLettered', 0 - items)
schedule(dest, now + tonumber(ARGV[5]))
return 1
`

/**
 * Removes dead letters.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] 1 to count them as evicted
 * then for each: id, its items, bytes of its line
 *
 * Returns for each 1, or 0 when it was gone already.
 */
export const REMOVE_LETTERS = `${COMMON}${TAKE_OUT}
local results = {}
for i = 2, #ARGV, 3 do
  local removed = takeOut(ARGV[i], tonumber(ARGV[i + 2]))
  if removed and ARGV[1] == '1' then redis.call('HINCRBY', counters, 'evicted', ARGV[i + 1]) end
  results[#results + 1] = removed and 1 or 0
end
return results
`
