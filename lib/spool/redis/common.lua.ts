/**
 * The head of every script: names of keys and shared steps.
 *
 * KEYS[1] base name of the kind and shard, a hash tag: all keys of a kind and shard begin with it, so that they live in
 * one slot. KEYS[2] is one of these keys (`keysOf`). The scripts make the other names themselves, and call the name of
 * a queue (queue-name.ts) a destination. The times for which destinations wait are milliseconds of the clock of this
 * kind and shard, which never goes back; the times of appends are Unix milliseconds of the server:
 *   :q:<queue>        stream of entries, `m` = "appendedAt records items bytes lineBytes", `v` = its value;
 *                     consumer group `forwarders`, in which every lease is a consumer; `-` holds the entries of leases
 *                     that were released
 *   :due              sorted set, queue → when it is due
 *   :due:<application> the same of the queues of one application; it may lag behind :due
 *   :apps             sorted set, application with a queue that is due → its last turn
 *   :held             hash, application → bytes of its lines that are stored now
 *   :oldest           sorted set, queue → when its oldest entry was appended
 *   :state            hash, per queue: items, bytes, entries (that no lease holds), hold, attempt,
 *                     urgent (id of the youngest urgent entry), back (time of append and id of the youngest remainder),
 *                     app (application whose entries it holds, unless its name says it)
 *   :counters         hash: records, items, lineBytes (stored now), the ledger, letters, letterBytes, unread:<version>,
 *                     clock (the clock of this kind and shard, to the second), ahead (milliseconds by which that clock
 *                     is ahead of the wall clock), taken (that clock at the last take, to the second), turn (the last
 *                     turn of an application)
 *   :k:<key>          mark of an append of a request with an idempotency key
 *   :f:<id>           answer of an append script, for a call that is sent again
 *   :dl, :dlids       hash of the dead letters, id → JSON, and sorted set of their ids
 */
export const COMMON = `
local base, group = KEYS[1], 'forwarders'
local due, oldest, state, counters = base .. ':due', base .. ':oldest', base .. ':state', base .. ':counters'
local applications, heldBytes = base .. ':apps', base .. ':held'
local deadLetters, deadLetterIds = base .. ':dl', base .. ':dlids'
-- Longer than any lease, so that released entries count as expired.
local releasedIdle = 1000000000

local function stream(dest) return base .. ':q:' .. dest end

local function wallClock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function sizesOf(meta)
  local t, r, i, b, l = string.match(meta or '', '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  return tonumber(t or 0), tonumber(r or 0), tonumber(i or 0), tonumber(b or 0), tonumber(l or 0)
end

local function get(field, dest) return tonumber(redis.call('HGET', state, field .. ':' .. dest) or 0) end

-- Adds to the items, bytes and entries that no lease holds.
local function addWaiting(dest, items, bytes, entries)
  redis.call('HINCRBY', state, 'items:' .. dest, items)
  redis.call('HINCRBY', state, 'bytes:' .. dest, bytes)
  redis.call('HINCRBY', state, 'entries:' .. dest, entries)
end

-- Whose entries the queue holds; nil or false when nobody knows.
local function applicationOf(dest)
  return string.match(dest, '\\n%d*\\n(.+)$') or redis.call('HGET', state, 'app:' .. dest)
end

-- The queue for entries of an application. It has the name without the application, which processes of earlier versions
-- know, unless that queue holds entries of others.
local function queueFor(dest, application)
  if application == '' then return dest end
  local owner = redis.call('HGET', state, 'app:' .. dest)
  if owner == application then return dest end
  local own = dest .. (string.find(dest, '\\n', 1, true) and '\\n' or '\\n\\n') .. application
  if owner or redis.call('ZSCORE', oldest, dest) or redis.call('ZSCORE', oldest, own) then return own end
  redis.call('HSET', state, 'app:' .. dest, application)
  return dest
end

local function addStored(dest, records, items, lineBytes)
  redis.call('HINCRBY', counters, 'records', records)
  redis.call('HINCRBY', counters, 'items', items)
  local stored = redis.call('HINCRBY', counters, 'lineBytes', lineBytes)
  local application = applicationOf(dest)
  if application and redis.call('HINCRBY', heldBytes, application, lineBytes) <= 0 then
    redis.call('HDEL', heldBytes, application)
  end
  -- Processes of an earlier version remove entries and leave their bytes in the account.
  if stored <= 0 then redis.call('DEL', heldBytes) end
end

local function dueOf(application) return base .. ':due:' .. application end

local function setDue(dest, at)
  local score = string.format('%.0f', at)
  redis.call('ZADD', due, score, dest)
  local application = applicationOf(dest)
  if not application then return end
  redis.call('ZADD', dueOf(application), score, dest)
  redis.call('ZADD', applications, 'NX', redis.call('HGET', counters, 'turn') or 0, application)
end

-- Makes a destination due at this time or earlier, but never before its hold ends. Returns when it is due now, and when
-- it was.
local function schedule(dest, at)
  local before = tonumber(redis.call('ZSCORE', due, dest) or math.huge)
  local after = math.max(math.min(before, at), get('hold', dest))
  if after ~= before then setDue(dest, after) end
  return after, before
end

-- When the first destination of the shard is due.
local function soonestDue()
  return tonumber(redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2] or math.huge)
end

-- Tells the processes that listen when a destination of the shard is due. The message begins with its kind and number.
local function tell(channel, shard, at, now)
  redis.call('PUBLISH', channel, shard .. ' ' .. string.format('%.0f', math.max(0, at - now)))
end

local function holdUntil(dest, at)
  if at > get('hold', dest) then redis.call('HSET', state, 'hold:' .. dest, string.format('%.0f', at)) end
end

-- Adds the entries that ARGV has from i on ("records items bytes lineBytes", value). Returns the id of the last entry
-- and the items of all.
local function store(dest, appendedAt, i, count)
  local records, items, bytes, lineBytes, id = 0, 0, 0, 0, nil
  for _ = 1, count do
    local meta = string.format('%.0f', appendedAt) .. ' ' .. ARGV[i]
    id = redis.call('XADD', stream(dest), '*', 'm', meta, 'v', ARGV[i + 1])
    local _, r, n, b, l = sizesOf(meta)
    records, items, bytes, lineBytes = records + r, items + n, bytes + b, lineBytes + l
    i = i + 2
  end
  if count > 0 then
    addStored(dest, records, items, lineBytes)
    addWaiting(dest, items, bytes, count)
    local isNew = redis.call('ZADD', oldest, 'LT', string.format('%.0f', appendedAt), dest) == 1
    -- The group may exist all the same, with entries of a script that the server did not let finish.
    if isNew then redis.pcall('XGROUP', 'CREATE', stream(dest), group, '0') end
  end
  return id, items
end

local function isBatchReady(dest, limitItems, limitBytes)
  return get('items', dest) >= limitItems or get('bytes', dest) >= limitBytes
end

-- The ids of the entries that the lease holds, or nil when it does not hold all of them any more.
local function held(dest, lease, count)
  local pending = redis.pcall('XPENDING', stream(dest), group, '-', '+', count + 1, lease)
  if pending.err or #pending ~= count then return nil end
  local ids = {}
  for i, entry in ipairs(pending) do ids[i] = entry[1] end
  return ids
end

-- Calls a command with many ids, 1,000 at a time; the ids stand between the arguments before and after.
local function each(ids, before, after)
  for first = 1, #ids, 1000 do
    local args = {unpack(before)}
    for i = first, math.min(first + 999, #ids) do args[#args + 1] = ids[i] end
    for _, argument in ipairs(after or {}) do args[#args + 1] = argument end
    redis.call(unpack(args))
  end
end

local function releaseEntries(dest, ids)
  each(ids, {'XCLAIM', stream(dest), group, '-', 0}, {'IDLE', releasedIdle, 'JUSTID'})
end

-- Starts the time of every lease anew: the server counts it from its wall clock.
local function restartLeases()
  for _, dest in ipairs(redis.call('ZRANGE', oldest, 0, 9999)) do
    local pending = redis.pcall('XPENDING', stream(dest), group, '-', '+', 10000)
    local byOwner = {}
    for _, entry in ipairs(pending.err and {} or pending) do
      local ids = byOwner[entry[2]] or {}
      byOwner[entry[2]] = ids
      ids[#ids + 1] = entry[1]
    end
    for owner, ids in pairs(byOwner) do
      if owner == '-' then releaseEntries(dest, ids)
      else each(ids, {'XCLAIM', stream(dest), group, owner, 0}, {'IDLE', 0, 'JUSTID'}) end
    end
  end
end

-- The clock of this kind and shard: the wall clock, and as much more as that was ever set back. Returns the wall clock,
-- too.
local function clock()
  local wall = wallClock()
  local known = redis.call('HMGET', counters, 'clock', 'ahead')
  local last, ahead = tonumber(known[1] or 0), tonumber(known[2] or 0)
  local now = wall + ahead
  if now < last then
    redis.call('HSET', counters, 'ahead', string.format('%.0f', last - wall))
    restartLeases()
    return last, wall
  end
  if now >= last + 1000 then redis.call('HSET', counters, 'clock', string.format('%.0f', now)) end
  return now, wall
end

local function forgetLease(dest, lease)
  redis.call('XGROUP', 'DELCONSUMER', stream(dest), group, lease)
end

-- Returns false when it is gone already.
local function removeDeadLetter(id, lineBytes)
  if redis.call('HDEL', deadLetters, id) == 0 then return false end
  redis.call('ZREM', deadLetterIds, id)
  redis.call('HINCRBY', counters, 'letters', -1)
  redis.call('HINCRBY', counters, 'letterBytes', 0 - lineBytes)
  return true
end

local function isBehind(id, other)
  local a, b = string.match(id, '(%d+)-(%d+)')
  local c, d = string.match(other, '(%d+)-(%d+)')
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  return a > c or (a == c and b > d)
end

-- After entries were removed: forgets an empty destination (true), or notes when its oldest entry was appended.
local function refresh(dest, now)
  local head = redis.call('XRANGE', stream(dest), '-', '+', 'COUNT', 1)[1]
  if not head then
    redis.call('DEL', stream(dest))
    redis.call('ZREM', oldest, dest)
    for _, field in ipairs({'items:', 'bytes:', 'entries:', 'attempt:', 'urgent:', 'back:', 'app:'}) do
      redis.call('HDEL', state, field .. dest)
    end
    local hold = get('hold', dest)
    if hold > now then
      setDue(dest, hold)
    else
      redis.call('HDEL', state, 'hold:' .. dest)
      redis.call('ZREM', due, dest)
    end
    return true
  end
  local appendedAt = sizesOf(head[2][2])
  local back = redis.call('HGET', state, 'back:' .. dest)
  if back then
    local backAt, id = string.match(back, '(%d+) (.+)')
    if isBehind(head[1], id) then redis.call('HDEL', state, 'back:' .. dest)
    else appendedAt = math.min(appendedAt, tonumber(backAt)) end
  end
  redis.call('ZADD', oldest, string.format('%.0f', appendedAt), dest)
  return false
end
`
