import { RATE_COMMON } from './rate-common.lua.js'
import { BURST_SECONDS } from './rate-limiter.js'

/**
 * Reserves the next call, and counts it.
 *
 * KEYS[1] hash of the rate
 * ARGV[1] cap in calls per second
 *
 * Returns the milliseconds until the call may be made, not above 0 for now.
 */
export const RATE_ACQUIRE = `${RATE_COMMON}
local at = math.max(next, now - ${BURST_SECONDS * 1_000})
save('next', string.format('%.3f', at + 1000 / rate), 'cut', string.format('%.3f', cut),
  'start', string.format('%.3f', start), 'calls', calls + 1, 'before', before)
return math.ceil(at - now)
`
