import { Redis, type RedisOptions } from 'ioredis'
import { answerWithin } from './ask.js'
import type { RedisAddress, RedisNode } from './redis-address.js'
import { askHello, isRefused, type Hello } from './server-facts.js'
import { tlsOptions } from './tls-connector.js'

export const CONNECT_TIMEOUT_MS = 5_000
/** How often a Redis that still reads its file is asked whether it is done; its own estimate is seconds too long. */
const LOADING_RETRY_MS = 250

/** Why a Redis cannot be used as its address says. */
export class UnusableRedisError extends Error {}

/** The message of a failed connection; where a name has several IPs, the error of none of them has one. */
export function connectionFault (error: unknown): string {
  const { message, code = '' } = error as NodeJS.ErrnoException
  return message === '' ? code : message
}

export type NodeOptions = Omit<RedisOptions, 'replyMapping'>

/** The options of every connection to a node that holds data. */
export function nodeOptions ({ tls, username, password, family }: RedisAddress): NodeOptions {
  return {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...tlsOptions(tls),
    family,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS
  }
}

/** Waits until the client is connected, or throws what stood in the way, and disconnects it. */
export async function untilConnected (redis: Redis): Promise<void> {
  let cause: Error | null = null
  const onError = (error: Error): void => { cause = error }
  redis.on('error', onError)
  try {
    await redis.connect()
  } catch (error) {
    redis.disconnect()
    // The client emits why, and rejects with no more than that the connection is closed.
    throw cause ?? error
  }
  redis.off('error', onError)
}

/** Runs a question on a connection of its own to a node. */
export async function visit<T> (
  node: RedisNode, options: RedisOptions, question: (redis: Redis) => Promise<T>
): Promise<T> {
  const redis = new Redis({ ...options, ...node, enableReadyCheck: false, retryStrategy: () => null })
  redis.on('error', () => {})
  try {
    await answerWithin(CONNECT_TIMEOUT_MS, untilConnected(redis))
    return await answerWithin(CONNECT_TIMEOUT_MS, question(redis))
  } finally {
    redis.disconnect()
  }
}

/** What a node says of itself. */
export interface NodeFacts {
  hello: Hello | null
  /** Whether its user may ask INFO, which the client needs to see whether a server still reads its file. */
  hasInfo: boolean
}

export async function askFacts (redis: Redis): Promise<NodeFacts> {
  return { hello: await askHello(redis), hasInfo: await allowsInfo(redis) }
}

async function allowsInfo (redis: Redis): Promise<boolean> {
  try {
    await redis.info('server')
    return true
  } catch (error) {
    if (isRefused(error as Error)) return false
    throw error
  }
}
