import { isIP } from 'node:net'

const HOPS = /^\d{1,2}$/
/** Ranges that have a name. */
const NAMED = new Set(['loopback', 'linklocal', 'uniquelocal'])
const MAX_PREFIX: Record<number, number> = { 4: 32, 6: 128 }
const PREFIX = /^\d{1,3}$/

function isAddress (text: string): boolean {
  const [address, prefix, ...rest] = text.split('/') as [string, ...string[]]
  const version = isIP(address)
  if (NAMED.has(text)) return true
  return version !== 0 && rest.length === 0 && (prefix === undefined || (PREFIX.test(prefix) && Number(prefix) <= MAX_PREFIX[version]!))
}

/**
 * What Fastify's `trustProxy` is set to: how many proxies stand before the gateway, or which.
 * @param value of the variable TRUST_PROXY
 * @throws Error that names it
 */
export function readTrustProxy (value: string | undefined): boolean | string[] | ((address: string, hop: number) => boolean) {
  const text = value?.trim() ?? ''
  if (text === '' || text === 'false') return false
  if (text === 'true') return true
  if (HOPS.test(text)) return (_address, hop) => hop < Number(text)
  const addresses = text.split(',').map(address => address.trim())
  if (!addresses.every(isAddress)) throw new Error('TRUST_PROXY is wrong: it must be the number of proxies before the gateway, or a comma-separated list of addresses and CIDR ranges')
  return addresses
}
