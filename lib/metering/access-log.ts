import { isObject } from '../guards.js'

/**
 * The keys that are read from a line of a stage's access log, in the order in which a log format should have them:
 * values that the caller can write (path, user agent) come last, so that none of them can stand before a value of AWS.
 */
export const ACCESS_LOG_KEYS = [
  'extendedRequestId', 'requestId', 'requestTimeEpoch', 'apiId', 'stage', 'httpMethod', 'status', 'integrationStatus',
  'integrationLatency', 'responseLatency', 'responseLength', 'sourceIp', 'protocol', 'clientId', 'principalId',
  'authorizerError', 'path', 'userAgent'
] as const
export type AccessLogKey = typeof ACCESS_LOG_KEYS[number]

/** The values of one line; one that is `-` or empty is absent. */
export type AccessLog = Partial<Record<AccessLogKey, string>>

export interface AccessLogLine {
  log: AccessLog
  /** Keys that the line has without a value. */
  empty: Set<AccessLogKey>
  /** Whether the caller has no part in who the client is: its id stands before everything that a caller writes. */
  clientIsSure: boolean
}

/** The line holds no call that can be metered. */
export class UnreadableLineError extends Error {
  override name = 'UnreadableLineError'
}

/** Keys of the JSON formats that the console of API Gateway offers, which count when the others are absent. */
const OTHER_NAMES = {
  sourceIp: 'ip',
  path: 'resourcePath',
  principalId: 'user'
} as const satisfies Partial<Record<AccessLogKey, string>>
/** A broken line without these values cannot be metered. */
const VITAL_KEYS: readonly AccessLogKey[] = ['extendedRequestId', 'status']
const CLIENT_KEYS = ['clientId', 'principalId', OTHER_NAMES.principalId]
const CALLERS_KEYS = ['path', 'userAgent']
const AWS_KEYS: ReadonlySet<string> = new Set(
  [...ACCESS_LOG_KEYS, ...Object.values(OTHER_NAMES)].filter(key => !CALLERS_KEYS.includes(key))
)

const TEXT = String.raw`[^"\\]*(?:\\.[^"\\]*)*`
const NUMBER_OR_WORD = String.raw`-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|-`
const PAIR = new RegExp(String.raw`\s*"(${TEXT})"\s*:\s*(?:("${TEXT}")|(${NUMBER_OR_WORD}))\s*(?:,|(\}\s*$))`, 'y')
/** The beginning of a pair whose value has a quote in it that is not escaped. */
const BROKEN_PAIR = /\s*"([^"\\]*)"\s*:\s*"/y
/** The end of such a value: a quote before another key, or before the end of the line. */
const BROKEN_END = /"\s*(?:,(?=\s*"\w+"\s*:)|(\}\s*$))/g

/**
 * Reads a line of JSON as an access log has it.
 *
 * Not every API Gateway escapes the values that the caller has sent, so a user agent may end its own string and write
 * keys of its own: the first value of a key counts, unless it stands behind such a value and the key has two of them. A
 * value with a quote in it is read up to the next key, and a line that breaks off up to where it breaks.
 * @throws UnreadableLineError
 */
export function readAccessLog (line: string): AccessLogLine {
  let scanned = scan(line, wholePairAt)
  const parsed = scanned.isWhole ? {} : parse(line)
  if (parsed === null) scanned = scan(line, pairAt)
  const { values, sure, isWhole } = scanned
  const breaksOff = parsed === null && !isWhole
  if (breaksOff && VITAL_KEYS.some(key => values.get(key) === undefined)) {
    throw new UnreadableLineError('the line is not a JSON object')
  }
  if (breaksOff && !CLIENT_KEYS.some(key => values.has(key))) {
    throw new UnreadableLineError('the line breaks off before the id of the client')
  }
  const valueOf = (key: string): string | undefined => values.has(key) ? values.get(key) : asText(parsed?.[key])
  const log: AccessLog = {}
  const empty = new Set<AccessLogKey>()
  for (const key of ACCESS_LOG_KEYS) {
    const value = valueOf(key)
    if (isPresent(value)) log[key] = value
    else if (value !== undefined) empty.add(key)
  }
  for (const [key, name] of Object.entries(OTHER_NAMES) as Array<[keyof typeof OTHER_NAMES, string]>) {
    const value = valueOf(name)
    if (log[key] === undefined && isPresent(value)) log[key] = value
  }
  return { log, empty, clientIsSure: CLIENT_KEYS.some(key => sure.has(key)) }
}

function isPresent (value: string | undefined): value is string {
  return value !== undefined && value !== '' && value !== '-'
}

interface Scanned {
  values: Map<string, string | undefined>
  /** Keys before everything that a caller writes. */
  sure: Set<string>
  isWhole: boolean
}

/** The pairs of a flat object, until the first thing that is none. @throws UnreadableLineError */
function scan (line: string, pairAt: (line: string, at: number) => Pair | null): Scanned {
  const scanned: Scanned = { values: new Map(), sure: new Set(), isWhole: false }
  const start = /^\s*\{/.exec(line)
  if (start === null) return scanned
  const { values, sure } = scanned
  let isSure = true
  let at = start[0].length
  for (let pair = pairAt(line, at); pair !== null; pair = pairAt(line, at)) {
    const { key, value, isBroken } = pair
    if (isBroken || CALLERS_KEYS.includes(key ?? '')) isSure = false
    if (key !== null) add(scanned, key, value, isSure)
    if (pair.isLast) return { values, sure, isWhole: true }
    at = pair.end
  }
  return scanned
}

function add ({ values, sure }: Scanned, key: string, value: string | undefined, isSure: boolean): void {
  if (!values.has(key)) {
    values.set(key, value)
    if (isSure) sure.add(key)
  } else if (!sure.has(key) && AWS_KEYS.has(key) && values.get(key) !== value) {
    throw new UnreadableLineError(
      `the line has two values of ${key}, of which the caller may have written one: in the log format ${key} must ` +
        'stand before path and userAgent'
    )
  }
}

interface Pair {
  /** Null for the rest of the value before. */
  key: string | null
  value: string | undefined
  isBroken: boolean
  isLast: boolean
  end: number
}

function wholePairAt (line: string, at: number): Pair | null {
  PAIR.lastIndex = at
  const pair = PAIR.exec(line)
  if (pair === null) return null
  const [, key, quoted, bare, end] = pair as unknown as [string, string, string?, string?, string?]
  return {
    key,
    value: quoted === undefined ? asText(bare) : unquote(quoted),
    isBroken: false,
    isLast: end !== undefined,
    end: PAIR.lastIndex
  }
}

function pairAt (line: string, at: number): Pair | null {
  return wholePairAt(line, at) ?? brokenPairAt(line, at)
}

function brokenPairAt (line: string, at: number): Pair | null {
  BROKEN_PAIR.lastIndex = at
  const broken = BROKEN_PAIR.exec(line)
  const valueAt = broken === null ? at : BROKEN_PAIR.lastIndex
  BROKEN_END.lastIndex = valueAt
  const end = BROKEN_END.exec(line)
  if (end === null) return null
  return {
    key: broken?.[1] ?? null,
    value: line.slice(valueAt, end.index),
    isBroken: true,
    isLast: end[1] !== undefined,
    end: BROKEN_END.lastIndex
  }
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
