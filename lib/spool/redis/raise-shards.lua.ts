/**
 * Notes the number of shards when it is higher than ever before.
 *
 * KEYS[1] where it is noted
 * ARGV[1] the number of shards
 */
export const RAISE_SHARDS = `
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], ARGV[1]) end
`
