import { Redis } from 'ioredis'

export interface WatchedCommands {
  /** How often each command has come from a client; those that scripts call do not count. */
  counts: ReadonlyMap<string, number>
  stop (): void
}

/** Counts the commands that a server gets from now on. */
export async function watchCommands (url: string): Promise<WatchedCommands> {
  const client = new Redis(url)
  const monitor = await client.monitor()
  client.disconnect()
  const counts = new Map<string, number>()
  monitor.on('monitor', (_time: string, [name = '']: string[], source: string) => {
    if (source === 'lua') return
    const command = name.toUpperCase()
    counts.set(command, (counts.get(command) ?? 0) + 1)
  })
  return { counts, stop: () => monitor.disconnect() }
}
