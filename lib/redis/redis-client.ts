import type { Cluster, Redis } from 'ioredis'

/** The client of one node, of the master that Sentinels know, or of a cluster. */
export type RedisClient = Redis | Cluster

/** Whether messages are published in the shard of their channel alone. */
export function isSharded (redis: RedisClient): boolean {
  return 'isSharded' in redis && redis.isSharded === true
}

/** The nodes that take writes. */
export function mastersOf (redis: RedisClient): Redis[] {
  return redis.isCluster ? (redis as Cluster).nodes('master') : [redis as Redis]
}

/** Whether a replica takes the place of a master that has gone, without anybody's doing. */
export function failsOver (redis: RedisClient): boolean {
  return redis.isCluster || Boolean((redis as Redis).options.sentinels)
}

export type RedisCommand = [name: string, ...args: Array<string | number>]

/**
 * Sends commands together: as a pipeline to one node; to a cluster, where their keys are of several nodes, each by
 * itself.
 * @returns the answers, in the order of the commands
 * @throws Error of one of them
 */
export async function sendAll (redis: RedisClient, commands: RedisCommand[]): Promise<unknown[]> {
  if (redis.isCluster) {
    return await Promise.all(commands.map(([name, ...args]) =>
      Reflect.apply(Reflect.get(redis, name), redis, args) as unknown))
  }
  return valuesOf(await redis.pipeline(commands).exec())
}

/** The answers of a pipeline or of a transaction. @throws Error of one of its commands */
export function valuesOf (replies: Array<[Error | null, unknown]> | null): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error !== null) throw error
    return value
  })
}
