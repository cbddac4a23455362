import { CUBIC, FLOOR_TPS } from './rate-limiter.js'

/** A rate that nobody has used for this long starts again at the cap. */
const FORGET_MS = 600_000

/**
 * The head of both scripts: the state of one rate, and `save`.
 *
 * KEYS[1] hash of the rate; times in Unix milliseconds of the server:
 *   next                  when the next call may be made, were there no burst
 *   max, cut              the rate at the last throttle, and when that was
 *   at                    the last of the clock that was seen
 *   start, calls, before  a window of one second: its start, its calls, the calls of the window before it
 * ARGV[1] cap in calls per second
 */
export const RATE_COMMON = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local cap = tonumber(ARGV[1])
local stored = redis.call('HMGET', KEYS[1], 'next', 'max', 'cut', 'start', 'calls', 'before', 'at')
local next = tonumber(stored[1]) or 0
local max = tonumber(stored[2])
local cut = tonumber(stored[3]) or 0
local start = tonumber(stored[4]) or 0
local calls = tonumber(stored[5]) or 0
local before = tonumber(stored[6]) or 0

-- A clock that was set back takes all times with it.
local setBack = math.max(0, (tonumber(stored[7]) or 0) - now)
next, cut, start = next - setBack, cut - setBack, start - setBack

local rate = cap
if max then
  local recovery = (max * ${1 - CUBIC.BETA} / ${CUBIC.SCALE}) ^ (1 / 3)
  rate = math.min(cap, math.max(${FLOOR_TPS}, max + ${CUBIC.SCALE} * ((now - cut) / 1000 - recovery) ^ 3))
end

local elapsed = now - start
if elapsed >= 2000 then
  start, calls, before = now, 0, 0
elseif elapsed >= 1000 then
  start, calls, before = start + 1000, 0, calls
end

local function save (...)
  redis.call('HSET', KEYS[1], 'at', string.format('%.3f', now), ...)
  redis.call('PEXPIRE', KEYS[1], ${FORGET_MS})
end
`
