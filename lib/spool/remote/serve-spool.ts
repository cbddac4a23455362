import type { Channel } from '../../processes/channel.js'
import type { FrameSpool } from '../embedded/embedded-spool.js'
import { DEAD_LETTER_CALLS, SPOOL_CALLS, type SpoolCalls } from './calls.js'

/** Lets another process append to this spool. The requests with a key that it leaves behind are finished. */
export function serveSpool (channel: Channel, spool: FrameSpool): void {
  const unfinished = new Map<string, (answer?: string) => Promise<void>>()
  const calls: SpoolCalls = {
    appendFrame: body => spool.appendFrame(body),
    async appendOnce (appends, request) {
      const result = await spool.appendOnce(appends, request)
      if (result.state !== 'stored') return result
      unfinished.set(request.key, result.finish)
      return { state: 'stored' }
    },
    async finish (key, answer) {
      const finish = unfinished.get(key)
      unfinished.delete(key)
      await finish?.(answer)
    },
    depth: kind => spool.depth(kind),
    ledger: () => spool.ledger(),
    keyBytes: () => spool.keyBytes(),
    unread: () => spool.unread(),
    probe: () => spool.probe()
  }
  channel.serve('spool', calls, SPOOL_CALLS)
  channel.serve('deadLetters', spool.deadLetters, DEAD_LETTER_CALLS)
  channel.onClose(() => {
    for (const finish of unfinished.values()) finish()
    unfinished.clear()
  })
}
