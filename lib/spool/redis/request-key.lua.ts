/**
 * The head of the scripts for idempotency keys.
 *
 * KEYS[1] base name of the shard of keys, a hash tag
 *   :k:<key>          hash of the key: digest, answer, until (when a request under way has lost its process, in
 *                     Unix milliseconds of the server; 0 when it has finished)
 *   :age              sorted set of "bytes/application/key", by when they expire
 *   :of:<application> sorted set of the same, of one application
 *   :bytes            hash: bytes by application, and of all under the empty name
 * All of them expire by themselves after the last request with a key.
 */
const COMMON = `
local base, age, bytes = KEYS[1], KEYS[1] .. ':age', KEYS[1] .. ':bytes'

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function bytesOf(name) return tonumber(redis.call('HGET', bytes, name) or 0) end

local function remove(member)
  local size, application, key = string.match(member, '^(%d+)/([^/]*)/(.*)$')
  if redis.call('ZREM', age, member) == 0 then return end
  redis.call('ZREM', base .. ':of:' .. application, member)
  redis.call('DEL', base .. ':k:' .. key)
  redis.call('HINCRBY', bytes, '', 0 - size)
  if redis.call('HINCRBY', bytes, application, 0 - size) <= 0 then redis.call('HDEL', bytes, application) end
end
`

/**
 * Claims a key for a request, or tells what became of the request that has it.
 *
 * ARGV[1] ARGV[2] ARGV[3] ARGV[4] key, application, digest, answer
 * ARGV[5] bytes that are kept for it
 * ARGV[6] milliseconds for which it is kept
 * ARGV[7] milliseconds for which the request counts as under way when its process has gone
 * ARGV[8] ARGV[9] bytes that the keys of an application, and those of all, may take
 * ARGV[10] the longest ARGV[7] of any request
 *
 * Returns [state, bytes of all keys], and for `answered` the answer, for `claimed` and `resumed` the name of the claim.
 */
export const CLAIM_KEY = `${COMMON}
local application, digest, answer, size = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ttl, hold = tonumber(ARGV[6]), tonumber(ARGV[7])
local now, stored = clock(), base .. ':k:' .. ARGV[1]
local until_ = string.format('%.0f', now + hold)

local known = redis.call('HMGET', stored, 'digest', 'answer', 'until')
if known[1] then
  if known[1] ~= digest then return {'reused', bytesOf('')} end
  local left = tonumber(known[3]) - now
  if known[3] == '0' then return {'answered', bytesOf(''), known[2]} end
  -- A time further ahead than any request may hold was taken from a clock that was set back since.
  if left > 0 and left <= tonumber(ARGV[10]) then return {'under-way', bytesOf('')} end
  redis.call('HSET', stored, 'answer', answer, 'until', until_)
  return {'resumed', bytesOf(''), until_}
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', age, '-inf', now, 'LIMIT', 0, 100)) do remove(member) end
local function makeRoom(set, name, limit)
  for _ = 1, 100 do
    if bytesOf(name) + size <= limit then return end
    local oldest = redis.call('ZRANGE', set, 0, 0)[1]
    if not oldest then return end
    remove(oldest)
  end
end
makeRoom(base .. ':of:' .. application, application, tonumber(ARGV[8]))
makeRoom(age, '', tonumber(ARGV[9]))

-- Later than every key before, as the keys that expire first are the first to be forgotten.
local latest = tonumber(redis.call('ZRANGE', age, -1, -1, 'WITHSCORES')[2] or 0)
local expiresAt = string.format('%.0f', math.max(now + ttl, latest + 1))
local member = size .. '/' .. application .. '/' .. ARGV[1]
redis.call('HSET', stored, 'digest', digest, 'answer', answer, 'until', until_)
redis.call('ZADD', age, expiresAt, member)
redis.call('ZADD', base .. ':of:' .. application, expiresAt, member)
redis.call('HINCRBY', bytes, application, size)
redis.call('HINCRBY', bytes, '', size)
for _, key in ipairs({stored, age, base .. ':of:' .. application, bytes}) do
  redis.call('PEXPIRE', key, ttl + 3600000)
end
return {'claimed', bytesOf(''), until_}
`

/**
 * Ends a claim that is still held.
 *
 * ARGV[1] ARGV[2] key, name of the claim
 * ARGV[3] finish: the request is stored; release: a repeated request goes on with it; forget: nothing is stored
 * ARGV[4] ARGV[5] ARGV[6] to finish: the answer, or '' to leave it; to forget: '', application and bytes
 *
 * Returns whether the claim was still held (0 or 1), and the bytes of all keys.
 */
export const END_KEY = `${COMMON}
local stored = base .. ':k:' .. ARGV[1]
if redis.call('HGET', stored, 'until') ~= ARGV[2] then return {0, bytesOf('')} end
if ARGV[3] == 'forget' then remove(ARGV[6] .. '/' .. ARGV[5] .. '/' .. ARGV[1])
elseif ARGV[3] == 'release' then redis.call('HSET', stored, 'until', '1')
else
  redis.call('HSET', stored, 'until', '0')
  if ARGV[4] ~= '' then redis.call('HSET', stored, 'answer', ARGV[4]) end
end
return {1, bytesOf('')}
`
