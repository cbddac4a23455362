import { RATE_COMMON } from './rate-common.lua.js'
import { CUT_INTERVAL_MS, FLOOR_TPS, MAX_HOLD_MS } from './rate-limiter.js'

/**
 * Notes a throttle: holds all calls back for as long as the server asks, and cuts the rate.
 *
 * KEYS[1] hash of the rate
 * ARGV[1] cap in calls per second
 * ARGV[2] milliseconds that the server asks to wait, or 0
 *
 * Returns nothing.
 */
export const RATE_THROTTLED = `${RATE_COMMON}
local hold = math.min(tonumber(ARGV[2]), ${MAX_HOLD_MS})
save('next', string.format('%.3f', math.max(next, now + hold)), 'cut', string.format('%.3f', cut),
  'start', string.format('%.3f', start))
if max and now - cut < ${CUT_INTERVAL_MS} then return end
local measured = calls + before * (1 - (now - start) / 1000)
local found = math.max(${FLOOR_TPS}, math.min(rate, measured))
save('max', string.format('%.3f', found), 'cut', string.format('%.3f', now))
`
