import { COMMON } from './common.lua.js'

/**
 * Appends the record of a dead letter again and removes the dead letter.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] ARGV[2] ARGV[3] ARGV[4] id of the dead letter, its destination, its items, bytes of its line
 * ARGV[5] linger in milliseconds
 * ARGV[6] maximum of stored bytes of lines
 * ARGV[7] sizes of the entry, "records items bytes lineBytes"
 * ARGV[8] value of the entry
 *
 * Returns 1, 0 when it is gone already, or -1 when the spool is full.
 */
export const REDRIVE = `${COMMON}
local id, dest, items, lineBytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('HEXISTS', deadLetters, id) == 0 then return 0 end
if tonumber(redis.call('HGET', counters, 'lineBytes') or 0) + lineBytes > tonumber(ARGV[6]) then return -1 end
local now, wall = clock()
store(dest, wall, 7, 1)
removeDeadLetter(id, lineBytes)
redis.call('HINCRBY', counters, 'deadLettered', 0 - items)
schedule(dest, now + tonumber(ARGV[5]))
return 1
`
