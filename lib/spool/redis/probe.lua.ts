/**
 * Writes as the other scripts do, and removes it again: a server, or its rules for this user, may refuse any of it.
 *
 * KEYS[1] base name of a kind and shard, or of a shard of idempotency keys
 */
export const PROBE = `
local base = KEYS[1] .. ':probe'
redis.call('XADD', base .. ':q', 'MAXLEN', 1, '*', 'm', '')
redis.call('ZADD', base .. ':due', 0, '')
redis.call('HSET', base .. ':state', '', '')
redis.call('HINCRBY', base .. ':counters', '', 1)
redis.call('SET', base .. ':k', '', 'EX', 60)
redis.call('DEL', base .. ':q', base .. ':due', base .. ':state', base .. ':counters', base .. ':k')
`
