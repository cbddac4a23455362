import { isIPv6 } from 'node:net'

const REDIS_PORT = 6_379
const SENTINEL_PORT = 26_379
const MAX_PORT = 65_535

export interface RedisNode {
  host: string
  port: number
}

interface Access {
  tls: boolean
  username: string | null
  password: string | null
  /** Of a node alone; a Redis Cluster has the database 0 alone. */
  database: number
  /** Version of IP that host names are resolved to; 0 for either. */
  family: number
}

/** Where a Redis is, and how it is entered. */
export type RedisAddress = Access & (
  /** One node; it may turn out to be one of a cluster. */
  | { form: 'node', nodes: [RedisNode] }
  | { form: 'cluster', nodes: RedisNode[] }
  /** The nodes are Sentinels, which know where the master of this name is. */
  | { form: 'sentinel', nodes: RedisNode[], master: string }
)

const HOST = '(?:[\\w.-]+|\\[[\\da-f:.]+\\])(?::\\d{1,5})?'
const REDIS_URL = new RegExp(
  `^(?<scheme>rediss?)(?<sentinel>\\+sentinel)?://(?:(?<user>[^/?#\\s]*)@)?(?<hosts>${HOST}(?:,${HOST})*)` +
  '(?:/(?<path>[\\w./-]*))?(?:\\?family=(?<family>[046]))?$', 'i'
)
const DATABASE = /^\d{0,5}$/
const MASTER_AND_DATABASE = /^(?<master>[\w.-]+)(?:\/(?<database>\d{0,5}))?$/

/**
 * Reads REDIS_URL:
 *   redis://[user:password@]host[:port][/database]                   one node, or any node of a cluster
 *   redis://[user:password@]host[:port],host[:port]                  nodes of a cluster
 *   redis+sentinel://[user:password@]host[:port],…/master[/database] Sentinels
 * `rediss` in place of `redis` is the same with TLS.
 * @returns null for any other text; no part is guessed
 */
export function readRedisUrl (url: string): RedisAddress | null {
  const { scheme = '', sentinel, user, hosts = '', path = '', family = '0' } = REDIS_URL.exec(url)?.groups ?? {}
  const nodes = hosts.split(',').map(host => readNode(host, sentinel === undefined ? REDIS_PORT : SENTINEL_PORT))
  const credentials = readCredentials(user)
  if (credentials === null || !nodes.every(node => node !== null)) return null
  const access = { ...credentials, tls: scheme.toLowerCase() === 'rediss', family: Number(family) }
  if (sentinel !== undefined) {
    const { master, database } = MASTER_AND_DATABASE.exec(path)?.groups ?? {}
    return master === undefined ? null : { ...access, form: 'sentinel', nodes, master, database: Number(database ?? 0) }
  }
  if (!DATABASE.test(path)) return null
  const database = Number(path)
  const [node, ...others] = nodes
  return others.length > 0
    ? { ...access, form: 'cluster', nodes, database }
    : { ...access, form: 'node', nodes: [node!], database }
}

function readNode (text: string, defaultPort: number): RedisNode | null {
  const { host = '', port = defaultPort } = /^(?<host>.+?)(?::(?<port>\d+))?$/.exec(text)?.groups ?? {}
  const bracketed = /^\[(.+)\]$/.exec(host)?.[1]
  if (host === '' || Number(port) > MAX_PORT || (bracketed !== undefined && !isIPv6(bracketed))) return null
  return { host: bracketed ?? host, port: Number(port) }
}

/** Credentials stand before the first host alone: an `@` with a comma behind it would be those of a second one. */
function readCredentials (text = ''): Pick<Access, 'username' | 'password'> | null {
  if (text === '') return { username: null, password: null }
  if (/@.*,/.test(text)) return null
  const colon = text.includes(':') ? text.indexOf(':') : text.length
  try {
    const username = decodeURIComponent(text.slice(0, colon))
    return { username: username === '' ? null : username, password: decodeURIComponent(text.slice(colon + 1)) }
  } catch {
    return null
  }
}

/** Where it is, without user and password. */
export function describeAddress (address: RedisAddress): string {
  const { form, tls, nodes } = address
  const hosts = nodes.map(describeNode).join(',')
  return `redis${tls ? 's' : ''}${form === 'sentinel' ? `+sentinel://${hosts}/${address.master}` : `://${hosts}`}`
}

export function describeNode ({ host, port }: RedisNode): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}
