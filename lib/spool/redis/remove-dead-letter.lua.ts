import { COMMON } from './common.lua.js'

/**
 * Removes a dead letter.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] 1 to count its items as evicted
 * ARGV[2] ARGV[3] ARGV[4] id of the dead letter, its items, bytes of its line
 *
 * Returns 1, or 0 when it is gone already.
 */
export const REMOVE_DEAD_LETTER = `${COMMON}
if not removeDeadLetter(ARGV[2], ARGV[4]) then return 0 end
if ARGV[1] == '1' then redis.call('HINCRBY', counters, 'evicted', ARGV[3]) end
return 1
`
