import { isObject } from '../guards.js'

/**
 * The keys that are read from a line of a stage's access log, in the order in which a log format should have them:
 * values that the caller can write (path, user agent) come last, so that none of them can stand before a value of AWS.
 */
export const ACCESS_LOG_KEYS = [
  'extendedRequestId', 'requestId', 'requestTimeEpoch', 'apiId', 'stage', 'httpMethod', 'status', 'integrationStatus',
  'integrationLatency', 'responseLatency', 'responseLength', 'sourceIp', 'protocol', 'clientId', 'principalId', 'path', 'userAgent'
] as const
export type AccessLogKey = typeof ACCESS_LOG_KEYS[number]

/** The values of one line; one that is `-` or empty is absent. */
export type AccessLog = Partial<Record<AccessLogKey, string>>

/** The line holds no call that can be metered. */
export class UnreadableLineError extends Error {
  override name = 'UnreadableLineError'
}

/** A broken line without these values cannot be metered. */
const VITAL_KEYS: readonly AccessLogKey[] = ['extendedRequestId', 'status']
const PAIR = /\s*"([^"\\]*(?:\\.[^"\\]*)*)"\s*:\s*(?:("[^"\\]*(?:\\.[^"\\]*)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|-))\s*(?:,|(\}\s*$))/y

/**
 * Reads a line of JSON as an access log has it.
 *
 * Not every API Gateway escapes the values that the caller has sent, so a user agent may end its own string and write keys of its
 * own: the first value of a key counts, and a line that breaks off is read up to where it breaks.
 * @throws UnreadableLineError
 */
export function parseAccessLog (line: string): AccessLog {
  const { values, complete } = scan(line)
  const parsed = complete ? {} : parse(line)
  if (parsed === null && VITAL_KEYS.some(key => values.get(key) === undefined)) throw new UnreadableLineError('the line is not a JSON object')
  const log: AccessLog = {}
  for (const key of ACCESS_LOG_KEYS) {
    const value = values.has(key) ? values.get(key) : asText(parsed?.[key])
    if (value !== undefined && value !== '' && value !== '-') log[key] = value
  }
  return log
}

/** The pairs of a flat object, until the first thing that is none. */
function scan (line: string): { values: Map<string, string | undefined>, complete: boolean } {
  const values = new Map<string, string | undefined>()
  const start = /^\s*\{/.exec(line)
  if (start === null) return { values, complete: false }
  PAIR.lastIndex = start[0].length
  for (let pair = PAIR.exec(line); pair !== null; pair = PAIR.exec(line)) {
    const [, key, quoted, bare, end] = pair as unknown as [string, string, string?, string?, string?]
    if (!values.has(key)) values.set(key, quoted === undefined ? asText(bare) : unquote(quoted))
    if (end !== undefined) return { values, complete: true }
  }
  return { values, complete: false }
}

function unquote (quoted: string): string {
  const text = parseJson(quoted)
  return typeof text === 'string' ? text : quoted.slice(1, -1)
}

function parse (line: string): Record<string, unknown> | null {
  const value = parseJson(line)
  return isObject(value) ? value : null
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function asText (value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== 'null' ? value : undefined
}

/** A number that is not negative; absent for everything else. */
export function readNumber (text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined
}

/** A whole number that is not negative; absent for everything else. */
export function readInteger (text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
