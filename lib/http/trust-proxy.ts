import { isIP } from 'node:net'
import proxyAddr from '@fastify/proxy-addr'
import { readAddress } from './address.js'

const HOPS = /^\d{1,2}$/

/** Whether an address lacks parts, as "10.0.0" does: by inet_aton's rules it would mean another host. */
function isShortened (address: string): boolean {
  return /^\d/.test(address) && isIP(address.split('/')[0]!) === 0
}

/**
 * The option `trustProxy` of Fastify; its types know no number of proxies.
 * @param value of the variable TRUST_PROXY
 * @returns null when Fastify could not read it
 */
export function readTrustProxy (value = ''): boolean | ((address: string, hop: number) => boolean) | null {
  const text = value.trim()
  if (text === '' || text === 'false') return false
  if (text === 'true') return true
  if (HOPS.test(text)) return (_address, hop) => hop < Number(text)
  const addresses = text.split(',').map(address => address.trim())
  if (addresses.some(isShortened)) return null
  try {
    const isTrusted = proxyAddr.compile(addresses)
    return (address, hop) => isTrusted(readAddress(address) ?? '', hop)
  } catch {
    return null
  }
}
