import { endsWord, isAlphanumeric, isBackslash, isForeignLetter, isQuote, withoutPunctuation } from './characters.js'
import type { FieldNames } from './field-names.js'
import { REDACTED, Splice } from './splice.js'

const TAB = 0x09
const SPACE = 0x20
const AMPERSAND = 0x26
const HYPHEN = 0x2d
const DOT = 0x2e
const COLON = 0x3a
const LESS_THAN = 0x3c
const EQUALS = 0x3d
const GREATER_THAN = 0x3e
const UNDERSCORE = 0x5f
const DOLLAR = 0x24
const QUOTE = 0x22
const OPENING_BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
/** Words after which a secret goes on: `Authorization: Basic …`. */
const SCHEMES = new Set(['basic', 'bearer', 'digest', 'negotiate', 'token'])
const LONGEST_SCHEME = 9

function isNameStart (code: number): boolean {
  return isAlphanumeric(code) || code === UNDERSCORE || code === DOLLAR || isForeignLetter(code)
}

function isName (code: number): boolean {
  return isNameStart(code) || code === HYPHEN || code === DOT
}

function skipBlanks (text: string, at: number): number {
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at++
  return at
}

function skipBackslashes (text: string, at: number): number {
  while (isBackslash(text.charCodeAt(at))) at++
  return at
}

/**
 * Where the value of a field starts, after the closing quote or bracket of its name and `:`, `=` or `=>`; null when no
 * value follows.
 */
function valueStart (text: string, nameEnd: number): number | null {
  let at = skipBackslashes(text, nameEnd)
  const code = text.charCodeAt(at)
  if (isQuote(code) || code === CLOSING_BRACKET) at++
  else at = nameEnd
  at = skipBlanks(text, at)
  const separator = text.charCodeAt(at)
  if (separator !== COLON && separator !== EQUALS) return null
  if (text.charCodeAt(++at) === GREATER_THAN) at++
  return skipBlanks(text, at)
}

/**
 * The end of a quoted value. In text that is itself in a quoted string, n times, a quote is escaped by 2^n - 1
 * backslashes, and a closing one by them and pairs of escaped backslashes.
 */
function quotedEnd (text: string, start: number, backslashes: number, quote: string): number {
  const period = 2 * (backslashes + 1)
  let from = start
  for (;;) {
    const at = text.indexOf(quote, from)
    if (at < 0) return text.length
    let before = at
    while (before > from && isBackslash(text.charCodeAt(before - 1))) before--
    if ((at - before) % period === backslashes) return at - backslashes
    from = at + 1
  }
}

/** The end of an object or array, strings in it skipped; the end of the text when it is not closed. */
function nestedEnd (text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (isBackslash(code)) i++
    else if (code === QUOTE) i = quotedEnd(text, i + 1, 0, '"')
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) depth++
    else if ((code === CLOSING_BRACE || code === CLOSING_BRACKET) && --depth === 0) return i + 1
  }
  return text.length
}

function wordEnd (text: string, start: number): number {
  let end = start
  while (end < text.length && !endsWord(text, end) && text.charCodeAt(end) !== AMPERSAND && text.charCodeAt(end) !== LESS_THAN) end++
  return withoutPunctuation(text, start, end)
}

function bareEnd (text: string, start: number): number {
  const end = wordEnd(text, start)
  const isScheme = end - start <= LONGEST_SCHEME && SCHEMES.has(text.slice(start, end).toLowerCase())
  return isScheme ? wordEnd(text, skipBlanks(text, end)) : end
}

/** Replaces the value that starts here; returns where it ends. */
function redactValue (text: string, start: number, splice: Splice): number {
  const quoteAt = skipBackslashes(text, start)
  const code = text.charCodeAt(quoteAt)
  if (isQuote(code)) {
    const end = quotedEnd(text, quoteAt + 1, quoteAt - start, text[quoteAt]!)
    if (end > quoteAt + 1) splice.replace(quoteAt + 1, end, REDACTED)
    return end
  }
  const end = code === OPENING_BRACE || code === OPENING_BRACKET ? nestedEnd(text, start) : bareEnd(text, start)
  if (end > start) splice.replace(start, end, REDACTED)
  return end
}

/**
 * Redacts the values of fields in text that is not JSON: `name=value`, `name: value`, `"name":"value"`, the latter also
 * with escaped quotes. An unquoted value ends with its word. Linear: no value is looked at again.
 */
export function redactFields (text: string, names: FieldNames): string {
  const splice = new Splice(text)
  let i = 0
  while (i < text.length) {
    if (!isNameStart(text.charCodeAt(i))) {
      i++
      continue
    }
    const start = i
    while (i < text.length && isName(text.charCodeAt(i))) i++
    const value = valueStart(text, i)
    if (value === null || !names.has(text.slice(start, i))) continue
    i = redactValue(text, value, splice)
  }
  return splice.finish()
}
