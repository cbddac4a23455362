import { isIPv4, isIPv6 } from 'node:net'

/** The client that sent the items; an HTTP request is one. */
export interface ClientInfo {
  /** Its IP; null when no proxy has told one. */
  readonly address: string | null
  readonly headers: { readonly 'user-agent'?: string | undefined }
}

/** Longer headers are no browser's. */
const MAX_USER_AGENT_LENGTH = 512
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
/** Hextets of a /48. */
const IPV6_PREFIX = 3
const HEXTETS = 8
const TRAILING_ZEROS = /(^|:)0(:0){0,2}$/
const MAX_VERSION_DIGITS = 4

/**
 * Product tokens in the order in which they decide: a browser also names the browsers that it is like. Safari names
 * its version apart.
 */
const BROWSERS: ReadonlyArray<readonly [token: string, family: string]> = [
  ['Edg/', 'Edge'], ['EdgA/', 'Edge'], ['EdgiOS/', 'Edge'], ['Edge/', 'Edge'],
  ['OPR/', 'Opera'], ['OPT/', 'Opera'], ['Opera/', 'Opera'],
  ['SamsungBrowser/', 'Samsung Internet'], ['YaBrowser/', 'Yandex'], ['Vivaldi/', 'Vivaldi'],
  ['UCBrowser/', 'UC Browser'],
  ['FxiOS/', 'Firefox'], ['Firefox/', 'Firefox'],
  ['CriOS/', 'Chrome'], ['HeadlessChrome/', 'Chrome'], ['Chrome/', 'Chrome'],
  ['MSIE ', 'Internet Explorer'], ['Trident/', 'Internet Explorer']
]
const SAFARI = ' Safari/'
const SAFARI_VERSION = 'Version/'
const TRIDENT = 'Trident/'
const TRIDENT_VERSION = 'rv:'
const BOT = /bot|crawler|spider/i
const OTHER = 'Other'

/** The network of an address: /24 of IPv4, /48 of IPv6. Null when it is no address. */
export function truncateIp (ip: string): string | null {
  const address = MAPPED_IPV4.exec(ip)?.[1] ?? ip
  if (isIPv4(address)) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
  return isIPv6(address) ? `${ipv6Prefix(address)}::/48` : null
}

function ipv6Prefix (address: string): string {
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 address at the end stands for two hextets.
  const missing = tail === undefined
    ? 0
    : HEXTETS - first.length - last.length - Number(last.at(-1)?.includes('.') === true)
  const hextets = [...first, ...Array<string>(Math.max(0, missing)).fill('0'), ...last]
  const prefix = hextets.slice(0, IPV6_PREFIX).map(hextet => Number.parseInt(hextet, 16).toString(16)).join(':')
  return prefix.replace(TRAILING_ZEROS, '')
}

function majorVersion (userAgent: string, at: number): string {
  let end = at
  while (end - at < MAX_VERSION_DIGITS && userAgent.charCodeAt(end) >= 0x30 && userAgent.charCodeAt(end) <= 0x39) end++
  return userAgent.slice(at, end)
}

function withVersion (family: string, userAgent: string, versionToken: string): string {
  const at = userAgent.indexOf(versionToken)
  const version = at < 0 ? '' : majorVersion(userAgent, at + versionToken.length)
  return version === '' ? family : `${family} ${version}`
}

/** The family of the browser and its major version, for example `Firefox 128`; `Bot` or `Other` when there is none. */
export function readBrowser (userAgent: string | undefined): string {
  if (userAgent === undefined) return OTHER
  const text = userAgent.slice(0, MAX_USER_AGENT_LENGTH)
  if (BOT.test(text)) return 'Bot'
  for (const [token, family] of BROWSERS) {
    if (text.includes(token)) return withVersion(family, text, token === TRIDENT ? TRIDENT_VERSION : token)
  }
  return text.includes(SAFARI) ? withVersion('Safari', text, SAFARI_VERSION) : OTHER
}
