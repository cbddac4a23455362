import { COMMON } from './common.lua.js'

/**
 * Ends a lease and leaves its entries to the next one.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] ARGV[2] ARGV[3] name of the lease, its destination, number of its entries
 * ARGV[4] ARGV[5] its items and bytes
 * ARGV[6] milliseconds before which the destination is not due
 * ARGV[7] ARGV[8] channel and name of the shard, to tell when the destination is due
 *
 * Returns 1, or 0 when the lease is not held any more.
 */
export const RELEASE = `${COMMON}
local lease, dest, count, delayMs = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[6])
local ids = held(dest, lease, count)
if not ids then return 0 end
local now = clock()
releaseEntries(dest, ids)
forgetLease(dest, lease)
addWaiting(dest, ARGV[4], ARGV[5], count)
redis.call('HINCRBY', state, 'attempt:' .. dest, 1)
if delayMs > 0 then holdUntil(dest, now + delayMs) end
tell(ARGV[7], ARGV[8], schedule(dest, now + delayMs), now)
return 1
`
