import { isIP, isIPv4 } from 'node:net'

const IPV4_AND_PORT = /^([\d.]+):\d{1,5}$/
const BRACKETED = /^\[([\da-f:.]+)\](?::\d{1,5})?$/i
const ZONE = /%.*$/
const MAPPED_IPV4 = /^::ffff:([\d.]+)$/i

/**
 * The IP of a client, as proxies write it: some add the port, put IPv6 into brackets, or name the zone.
 * @returns null for a text that is no address
 */
export function readAddress (text: string): string | null {
  const bare = IPV4_AND_PORT.exec(text)?.[1] ?? BRACKETED.exec(text)?.[1] ?? text.replace(ZONE, '')
  const mapped = MAPPED_IPV4.exec(bare)?.[1]
  if (mapped !== undefined && isIPv4(mapped)) return mapped
  return isIP(bare) === 0 ? null : bare
}
