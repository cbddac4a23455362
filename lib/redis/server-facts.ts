import type { Redis } from 'ioredis'

export type Version = readonly [major: number, minor: number]

/** The first version that publishes messages in the shard of their channel alone. */
export const SHARDED_VERSION: Version = [7, 0]

/** What every server from 6.2 on says of itself, whatever its user may do. */
export interface Hello {
  version: string
  mode: string
  role: string
}

/** Null for a server, or a proxy before it, that does not tell. */
export async function askHello (redis: Redis): Promise<Hello | null> {
  try {
    const reply = await redis.call('HELLO') as unknown[]
    const said = new Map<unknown, unknown>()
    for (let i = 0; i + 1 < reply.length; i += 2) said.set(reply[i], reply[i + 1])
    return { version: String(said.get('version')), mode: String(said.get('mode')), role: String(said.get('role')) }
  } catch (error) {
    if ((error as Error).name === 'ReplyError') return null
    throw error
  }
}

/** Whether the server does not let its user have a command, or has none of this name. */
export function isRefused ({ message }: Error): boolean {
  return /NOPERM|unknown (sub)?command|not allowed|disabled/i.test(message)
}

export function isAtLeast (version: string | null, [major, minor]: Version): boolean {
  const [ownMajor = 0, ownMinor = 0] = (version ?? '0').split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}
