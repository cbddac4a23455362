import { editJson, isJson } from '../json-editor.js'

/**
 * CloudWatch extracts metrics from every log event that is a JSON object with one of these forms, whoever sends it and
 * whatever the sender may do otherwise:
 * - `{"_aws":{"CloudWatchMetrics":[…],"Timestamp":…},…}`
 * - `{"Version":"0","CloudWatchMetrics":[…],"Timestamp":…,…}`, the layout before.
 */
export const METADATA = '_aws'
export const DIRECTIVES = 'CloudWatchMetrics'
/** In place of the two names; no longer than them, so that no message grows. */
const NEUTRAL_NAMES: ReadonlyMap<string, string> = new Map([[METADATA, 'aws_'], [DIRECTIVES, 'CloudWatchMetric_']])

const OPENING_BRACE = 0x7b
const NOT_BLANK = /[^\s\0-\x20\u200b\u2060]/
const QUOTE = '"'
const BACKSLASH = '\\'

/** Where in a message the JSON object lies that CloudWatch would read. */
export interface EmbeddedObject {
  start: number
  end: number
}

/** Where the first character that is not blank stands, when it opens an object; else -1. */
function objectStart (message: string): number {
  if (message.charCodeAt(0) === OPENING_BRACE) return 0
  const at = message.search(NOT_BLANK)
  return at >= 0 && message.charCodeAt(at) === OPENING_BRACE ? at : -1
}

/** The end of the object, for text that may not be JSON; -1 when it does not end. */
function objectEnd (text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const character = text[i]
    if (character === QUOTE) i = closingQuote(text, i + 1)
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return i + 1
  }
  return -1
}

function closingQuote (text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1
  return at
}

/** The object that the message is or, as some parsers stop at its end, begins with. */
function findObject (message: string, start: number): EmbeddedObject | null {
  if (isJson(start === 0 ? message : message.slice(start))) return { start, end: message.length }
  const end = objectEnd(message, start)
  return end >= 0 && isJson(message.slice(start, end)) ? { start, end } : null
}

/** Judged by every member of a name: parsers differ in which of them counts. */
function hasDirectives (json: string): boolean {
  let root = ''
  let hasMember = false
  editJson(json, {
    name (name, depth) {
      if (depth === 1) root = name
      if (name === DIRECTIVES && (depth === 1 || (depth === 2 && root === METADATA))) hasMember = true
      return undefined
    }
  })
  return hasMember
}

/**
 * The object in which CloudWatch would find metrics; null when there is none. A message without the name of the
 * directives, and without an escape that could hide it, is not parsed.
 */
export function findEmbeddedMetrics (message: string): EmbeddedObject | null {
  const start = objectStart(message)
  if (start < 0 || (!message.includes(DIRECTIVES) && !message.includes('\\u'))) return null
  const object = findObject(message, start)
  return object !== null && hasDirectives(message.slice(object.start, object.end)) ? object : null
}

/** The message with its content, in which CloudWatch finds no metrics. */
export function neutralize (message: string, { start, end }: EmbeddedObject): string {
  const edited = editJson(message.slice(start, end), {
    name: (name, depth) => depth === 1 ? NEUTRAL_NAMES.get(name) : undefined
  })
  return message.slice(0, start) + edited + message.slice(end)
}
