import { Redis } from 'ioredis'
import { answerWithin } from '../../../lib/redis/ask.js'
import type { Link } from '../link.js'
import type { Member } from '../member.js'

const ANSWER_WITHIN_MS = 500
const RECONNECT_MS = 50

/** What a node says of its replication. */
export interface Replication {
  role: 'master' | 'replica'
  /** Name of the history of writes that it is in, and the bytes of it that it has. */
  history: string
  offset: number
  /** Name of the history that it was in before it became a master, and the bytes that it had of it. */
  formerHistory: string
  formerOffset: number
  /** Of a replica: whether its master sends to it. */
  isLinked: boolean
}

export interface RedisNodeParts {
  name: string
  member: Member
  /** Its own port, with no link before it. */
  port: number
  /** Everybody else reaches it through these. */
  links: Link[]
}

/** A Redis that holds data: its process, the network before it, and a connection of the harness that passes no link. */
export class RedisNode {
  readonly name: string
  readonly member: Member
  readonly port: number
  readonly links: Link[]
  readonly client: Redis
  /**
   * Whether its clock was set forward and back. Until the time that it has seen it asks no other node of a cluster
   * whether it lives, so that it goes on to take one for failed that it has heard so of.
   */
  hasSeenFuture = false

  constructor ({ name, member, port, links }: RedisNodeParts) {
    this.name = name
    this.member = member
    this.port = port
    this.links = links
    this.client = new Redis({
      port,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => RECONNECT_MS
    })
    this.client.on('error', () => {})
  }

  /** Null while the node does not answer. */
  async ask<T> (question: (client: Redis) => Promise<T>): Promise<T | null> {
    try {
      return await answerWithin(ANSWER_WITHIN_MS, question(this.client))
    } catch {
      return null
    }
  }

  async replication (): Promise<Replication | null> {
    const info = await this.ask(client => client.info('replication'))
    return info === null ? null : readReplication(info)
  }

  close (): void {
    this.client.disconnect()
  }
}

export function readReplication (info: string): Replication {
  const fields = new Map(info.split('\r\n').map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1)]
  }))
  const text = (name: string): string => fields.get(name) ?? ''
  return {
    role: text('role') === 'master' ? 'master' : 'replica',
    history: text('master_replid'),
    offset: Number(text('master_repl_offset')),
    formerHistory: text('master_replid2'),
    // The first byte that it did not have.
    formerOffset: Number(text('second_repl_offset')) - 1,
    isLinked: text('master_link_status') === 'up'
  }
}
