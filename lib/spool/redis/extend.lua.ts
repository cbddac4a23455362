import { COMMON } from './common.lua.js'

/**
 * Starts the time of a lease anew.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] ARGV[2] ARGV[3] name of the lease, its destination, number of its entries
 *
 * Returns 1, or 0 when the lease is not held any more.
 */
export const EXTEND = `${COMMON}
local lease, dest, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids = held(dest, lease, count)
if not ids then return 0 end
each(ids, {'XCLAIM', stream(dest), group, lease, 0}, {'JUSTID'})
return 1
`
