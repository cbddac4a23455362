import type { RedisCommand } from '../../../lib/redis/redis-client.js'

/**
 * A harmless call of every command that the gateway sends to a node, or that its scripts call there. A server holds
 * the rights of its user against each when it is queued in a transaction, which is then discarded.
 * @param prefix REDIS_PREFIX
 * @param isSharded whether messages are published in the shard of their channel alone
 */
export function commandsOf (prefix: string, isSharded = false): RedisCommand[] {
  const key = `{${prefix}:doctor}:key`
  const other = `{${prefix}:doctor}:other`
  return [
    ['PING'], ['TIME'],
    ['GET', `${prefix}:doctor`], ['SET', key, 1, 'PX', 1], ['DEL', key], ['UNLINK', key], ['RENAME', key, other],
    ['EXPIRE', key, 1], ['PEXPIRE', key, 1], ['PTTL', key], ['INCRBY', key, 1],
    ['GETRANGE', key, 0, 0], ['SETRANGE', key, 0, ''],
    ['HSET', key, 'f', 1], ['HSETNX', key, 'f', 1], ['HGET', key, 'f'], ['HMGET', key, 'f'], ['HGETALL', key],
    ['HDEL', key, 'f'], ['HEXISTS', key, 'f'], ['HINCRBY', key, 'f', 1], ['HLEN', key],
    ['ZADD', key, 1, 'm'], ['ZREM', key, 'm'], ['ZSCORE', key, 'm'], ['ZRANGE', key, 0, 0],
    ['ZRANGEBYSCORE', key, 0, 0], ['ZRANGEBYLEX', key, '-', '+'],
    ['XADD', key, '*', 'f', 1], ['XRANGE', key, '-', '+'], ['XDEL', key, '0-1'],
    ['XGROUP', 'CREATE', key, 'g', 0], ['XGROUP', 'DELCONSUMER', key, 'g', 'c'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', key, '>'], ['XPENDING', key, 'g'],
    ['XCLAIM', key, 'g', 'c', 0, '0-1'], ['XACK', key, 'g', '0-1'],
    ['EVAL', 'return 1', 1, key], ['EVALSHA', '0'.repeat(40), 1, key],
    ['PUBLISH', key, ''], ...(isSharded ? [['SPUBLISH', key, ''] satisfies RedisCommand] : [])
  ]
}
