import { COMMON } from './common.lua.js'

/**
 * Leases entries of a destination that is due: the applications in turn, of each the destination that has been due
 * longest.
 *
 * KEYS[1] base name of the kind and shard
 * ARGV[1] name of the lease
 * ARGV[2] ARGV[3] lease and linger in milliseconds
 * ARGV[4] ARGV[5] items and bytes that a lease may hold
 * ARGV[6] 1 to lease entries that only linger, too
 * ARGV[7] what the clock of this kind and shard says if nobody has set the server's forward since the last call of this
 *   process; 0 at its first call
 *
 * Returns [milliseconds until a destination is due, or -1, the clock of this kind and shard], or
 * [0, destination, attempt, application or '', [for each entry "appendedAt records items bytes lineBytes", value], the
 * clock].
 */
export const TAKE = `${COMMON}
local lease, leaseMs, lingerMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local limitItems, limitBytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local now = clock()
-- The wall clock was set forward, which would end leases whose holders live. A process that starts goes by the last
-- call of any: it cannot tell a clock that was set from a time in which nobody called.
local taken = tonumber(redis.call('HGET', counters, 'taken') or 0)
local expected = tonumber(ARGV[7])
if expected == 0 then expected = taken end
if expected > 0 and now - expected > leaseMs / 4 then restartLeases() end
if now >= taken + 1000 then redis.call('HSET', counters, 'taken', string.format('%.0f', now)) end

local function pick(dest)
  local key = stream(dest)
  local picked, items, bytes, full, expiredLeft = {}, 0, 0, false, false

  local function add(fields)
    local _, _, i, b = sizesOf(fields[2])
    if #picked > 0 and (items + i > limitItems or bytes + b > limitBytes) then return false end
    items, bytes = items + i, bytes + b
    picked[#picked + 1] = fields[2]
    picked[#picked + 1] = fields[4] or ''
    return true
  end

  -- Entries that were released, and entries of leases that have expired.
  local pending = redis.pcall('XPENDING', key, group, 'IDLE', leaseMs, '-', '+', 1000)
  if pending.err then pending = {} end
  local claimed, gone, owners, last = {}, {}, {}, nil
  for _, entry in ipairs(pending) do
    local id, owner = entry[1], entry[2]
    local found = redis.call('XRANGE', key, id, id)[1]
    if not found then gone[#gone + 1] = id
    elseif not full and add(found[2]) then
      claimed[#claimed + 1] = id
      last = id
      owners[owner] = true
      if owner == '-' then
        local _, _, i, b = sizesOf(found[2][2])
        addWaiting(dest, 0 - i, 0 - b, -1)
      end
    else
      full = true
      if owner ~= '-' then expiredLeft = true end
    end
  end
  if #gone > 0 then each(gone, {'XACK', key, group}) end
  if #claimed > 0 then each(claimed, {'XCLAIM', key, group, lease, 0}, {'JUSTID'}) end
  for owner in pairs(owners) do
    if owner ~= '-' and #redis.call('XPENDING', key, group, '-', '+', 1, owner) == 0 then forgetLease(dest, owner) end
  end

  -- Entries that were never leased: as many at a time as should fit by their average size.
  while not full and (#picked == 0 or (items < limitItems and bytes < limitBytes)) do
    local entries = math.max(1, get('entries', dest))
    local byItems = (limitItems - items) * entries / math.max(1, get('items', dest))
    local byBytes = (limitBytes - bytes) * entries / math.max(1, get('bytes', dest))
    local count = math.max(1, math.min(500, math.floor(math.min(byItems, byBytes))))
    local read = redis.pcall('XREADGROUP', 'GROUP', group, lease, 'COUNT', count, 'STREAMS', key, '>')
    if not read or read.err or #read == 0 then break end
    local back, i, b, n = {}, 0, 0, 0
    for _, entry in ipairs(read[1][2]) do
      if not full and add(entry[2]) then
        local _, _, entryItems, entryBytes = sizesOf(entry[2][2])
        i, b, n = i + entryItems, b + entryBytes, n + 1
        last = entry[1]
      else
        full = true
        back[#back + 1] = entry[1]
      end
    end
    addWaiting(dest, 0 - i, 0 - b, 0 - n)
    if #back > 0 then releaseEntries(dest, back) end
  end
  if #picked == 0 then redis.pcall('XGROUP', 'DELCONSUMER', key, group, lease) end
  return picked, last, expiredLeft
end

-- A destination with more to lease goes behind the destinations that are due already.
local function reschedule(dest, last, took, expiredLeft)
  local urgent = redis.call('HGET', state, 'urgent:' .. dest)
  if urgent and last and not isBehind(urgent, last) then
    redis.call('HDEL', state, 'urgent:' .. dest)
    urgent = false
  end
  local at
  if expiredLeft or isBatchReady(dest, limitItems, limitBytes) or (urgent and took) then at = now
  elseif get('entries', dest) > 0 then at = now + lingerMs
  elseif took then at = now + leaseMs
  else
    local longest = 0
    local pending = redis.pcall('XPENDING', stream(dest), group, '-', '+', 1000)
    for _, entry in ipairs(pending.err and {} or pending) do longest = math.max(longest, entry[3]) end
    at = now + math.max(1, leaseMs - longest)
  end
  setDue(dest, at)
end

-- The first destination that is due of the application whose turn it is, and when it was due.
local function dueInTurn()
  for _, application in ipairs(redis.call('ZRANGE', applications, 0, 999)) do
    local key = dueOf(application)
    while true do
      local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
      if #first == 0 then
        redis.call('ZREM', applications, application)
        break
      end
      local dest, indexed = first[1], tonumber(first[2])
      if indexed > now then break end
      local at = redis.call('ZSCORE', due, dest)
      if not at then redis.call('ZREM', key, dest)
      elseif tonumber(at) > now then redis.call('ZADD', key, at, dest)
      else return dest, tonumber(at) end
    end
  end
end

-- The next destination to lease from, and when it is due; processes of before have no applications.
local function nextDue()
  local first = redis.call('ZRANGE', due, 0, 1, 'WITHSCORES')
  if #first == 0 then return nil end
  if #first == 4 and tonumber(first[4]) <= now then
    local dest, at = dueInTurn()
    if dest then return dest, at end
  end
  return first[1], tonumber(first[2])
end

if ARGV[6] == '1' then
  for _, dest in ipairs(redis.call('ZRANGE', due, 0, 999)) do
    if get('entries', dest) > 0 and get('hold', dest) <= now then
      redis.call('ZADD', due, 'LT', string.format('%.0f', now), dest)
      break
    end
  end
end

for _ = 1, 100 do
  local dest, dueAt = nextDue()
  if not dest then return {-1, now} end
  local wait = dueAt - now
  if wait > 0 then return {wait, now} end
  local picked, last, expiredLeft = pick(dest)
  if #picked > 0 then
    reschedule(dest, last, true, expiredLeft)
    local application = applicationOf(dest)
    if application then
      redis.call('ZADD', applications, 'XX', redis.call('HINCRBY', counters, 'turn', 1), application)
    end
    return {0, dest, get('attempt', dest), application or '', picked, now}
  end
  if not refresh(dest, now) then reschedule(dest, last, false, false) end
end
return {0, now}
`
