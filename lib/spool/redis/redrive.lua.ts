import { COMMON } from './common.lua.js'

/**
 * Appends the record of a dead letter again and removes the dead letter.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] ARGV[2] ARGV[3] id of the dead letter, its destination, its application or ''
 * ARGV[4] ARGV[5] its items, bytes of its line
 * ARGV[6] linger in milliseconds
 * ARGV[7] maximum of stored bytes of lines
 * ARGV[8] sizes of the entry, "records items bytes lineBytes"
 * ARGV[9] value of the entry
 * ARGV[10] ARGV[11] channel and name of the shard, to tell when the record is due
 *
 * Returns 1, 0 when it is gone already, or -1 when the spool is full.
 */
export const REDRIVE = `${COMMON}
local id, items, lineBytes = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('HEXISTS', deadLetters, id) == 0 then return 0 end
if tonumber(redis.call('HGET', counters, 'lineBytes') or 0) + lineBytes > tonumber(ARGV[7]) then return -1 end
local now, wall = clock()
local dest = queueFor(ARGV[2], ARGV[3])
store(dest, wall, 8, 1)
removeDeadLetter(id, lineBytes)
redis.call('HINCRBY', counters, 'deadLettered', 0 - items)
tell(ARGV[10], ARGV[11], schedule(dest, now + tonumber(ARGV[6])), now)
return 1
`
