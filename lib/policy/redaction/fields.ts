import {
  asciiTable, DIGITS, endsWord, isBackslash, isForeignLetter, isQuote, isSpace, LETTERS, withoutPunctuation
} from './characters.js'
import { elementContent, redactElement, type ElementScan } from './elements.js'
import { decodeName, escapedCode, escapeLength } from './escapes.js'
import type { FieldNames } from './field-names.js'
import { REDACTED, Splice } from './splice.js'

const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const AMPERSAND = 0x26
const PERCENT = 0x25
const COLON = 0x3a
const LESS_THAN = 0x3c
const EQUALS = 0x3d
const GREATER_THAN = 0x3e
const QUOTE = 0x22
const OPENING_BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d
/** As URLs write a character of ASCII: `%3D`. */
const ENCODED_LENGTH = 3
const ENCODED_AMPERSAND = '%26'
/** Words after which a secret goes on: `Authorization: Basic …`. */
const SCHEMES = new Set(['basic', 'bearer', 'digest', 'negotiate', 'token'])
const LONGEST_SCHEME = 9
/** Behind the name of a field in a form: `password[]`, `password[new][0]`. */
const MAX_BRACKETS = 3
const LONGEST_BRACKET = 32

/** The characters that may stand between the name of a field and its value. */
const LEADS_ON = asciiTable(':=[]%\\"\'`')
const NAME_START = asciiTable(`${DIGITS}${LETTERS}_$`)
const NAME = asciiTable(`${DIGITS}${LETTERS}_$-.`)

function isNameStart (code: number): boolean {
  return NAME_START[code] === 1 || isForeignLetter(code)
}

function isName (code: number): boolean {
  return NAME[code] === 1 || isForeignLetter(code)
}

/** The length of the escape of a character that belongs to a name; 0 when there is none. */
function escapedNameLength (text: string, at: number, belongs: (code: number) => boolean): number {
  const length = escapeLength(text, at)
  return length > 0 && belongs(escapedCode(text, at, length)) ? length : 0
}

/** The offset to look at next where no name starts. */
function afterNoName (text: string, at: number): number {
  const code = text.charCodeAt(at)
  // Not one by one: each of a run of backslashes would be counted again.
  if (isBackslash(code)) return Math.max(skipBackslashes(text, at), at + escapeLength(text, at))
  return code === PERCENT ? at + Math.max(1, escapeLength(text, at)) : at + 1
}

function skipBlanks (text: string, at: number): number {
  for (;; at++) {
    const code = text.charCodeAt(at)
    if (!isSpace(code) || code === NEWLINE || code === RETURN) return at
  }
}

function skipBackslashes (text: string, at: number): number {
  while (isBackslash(text.charCodeAt(at))) at++
  return at
}

/** Where a value starts, on the same line or the next one; null behind a blank line. */
function skipToValue (text: string, at: number): number | null {
  let start = skipBlanks(text, at)
  if (text.charCodeAt(start) === RETURN) start++
  if (text.charCodeAt(start) === NEWLINE) start++
  start = skipBlanks(text, start)
  const code = text.charCodeAt(start)
  return code === NEWLINE || code === RETURN ? null : start
}

/** The length of one of these characters, plain or as URLs write it; 0 when none stands here. */
function lengthOf (text: string, at: number, isWanted: (code: number) => boolean): number {
  const code = text.charCodeAt(at)
  if (code !== PERCENT) return isWanted(code) ? 1 : 0
  return escapeLength(text, at) === ENCODED_LENGTH && isWanted(escapedCode(text, at, ENCODED_LENGTH))
    ? ENCODED_LENGTH
    : 0
}

const isSeparator = (code: number): boolean => code === COLON || code === EQUALS
const isOpening = (code: number): boolean => code === OPENING_BRACKET
const isClosing = (code: number): boolean => code === CLOSING_BRACKET

/** Behind the closing quote or bracket of a name. */
function closedName (text: string, nameEnd: number): number {
  if (text.charCodeAt(nameEnd) === SPACE) return nameEnd
  const at = skipBackslashes(text, nameEnd)
  if (isQuote(text.charCodeAt(at))) return at + 1
  const length = lengthOf(text, at, isClosing)
  return length > 0 ? at + length : nameEnd
}

/** Whether these two characters behind a name say that it is none of a field: most words of a text go no further. */
function isNoField (code: number, next: number): boolean {
  return code === SPACE ? NAME_START[next] === 1 : code < 0x80 && LEADS_ON[code] !== 1 && code > SPACE
}

interface ValueStart {
  at: number
  /** Whether the separator is written as in URLs, so that the value ends with an encoded ampersand. */
  encoded: boolean
}

/** Where the value of a field starts, after `:`, `=` or `=>`; null when no value follows. */
function valueStart (text: string, nameEnd: number): ValueStart | null {
  let at = skipBlanks(text, nameEnd)
  const length = lengthOf(text, at, isSeparator)
  if (length === 0) return null
  at += length
  if (text.charCodeAt(at) === GREATER_THAN) at++
  const start = skipToValue(text, at)
  return start === null ? null : { at: start, encoded: length > 1 }
}

/** Behind `[…]` groups; null when there is none. */
function bracketsEnd (text: string, start: number): number | null {
  let at = start
  for (let groups = 0; groups < MAX_BRACKETS; groups++) {
    const opening = lengthOf(text, at, isOpening)
    if (opening === 0) break
    let end = at + opening
    const limit = end + LONGEST_BRACKET
    while (end < limit && lengthOf(text, end, isClosing) === 0) end++
    const closing = lengthOf(text, end, isClosing)
    if (closing === 0) break
    at = end + closing
  }
  return at === start ? null : at
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

function wordEnd (text: string, start: number, encoded: boolean): number {
  let end = start
  for (; end < text.length && !endsWord(text, end); end++) {
    const code = text.charCodeAt(end)
    if (code === AMPERSAND || code === LESS_THAN || (encoded && text.startsWith(ENCODED_AMPERSAND, end))) break
  }
  return withoutPunctuation(text, start, end)
}

function bareEnd (text: string, start: number, encoded: boolean): number {
  const end = wordEnd(text, start, encoded)
  const isScheme = end - start <= LONGEST_SCHEME && SCHEMES.has(text.slice(start, end).toLowerCase())
  return isScheme ? wordEnd(text, skipBlanks(text, end), encoded) : end
}

/** Replaces the value that starts here; returns where it ends. */
function redactValue (text: string, { at: start, encoded }: ValueStart, by: string, splice: Splice): number {
  const quoteAt = skipBackslashes(text, start)
  const code = text.charCodeAt(quoteAt)
  if (isQuote(code)) {
    const end = quotedEnd(text, quoteAt + 1, quoteAt - start, text[quoteAt]!)
    if (end > quoteAt + 1) splice.replace(quoteAt + 1, end, by)
    return end
  }
  const end = code === OPENING_BRACE || code === OPENING_BRACKET
    ? nestedEnd(text, start)
    : bareEnd(text, start, encoded)
  if (end > start) splice.replace(start, end, by)
  return end
}

/** Goes through the names in a text that is not JSON, and replaces the values of fields. */
class FieldScan {
  readonly #text: string
  readonly #names: FieldNames
  readonly #by: string
  readonly #splice: Splice
  readonly #elements: ElementScan = { isUnbalanced: false }
  /** Behind the colon of the name of an XML element: `<ns:`. */
  #prefixEnd = -1

  constructor (text: string, names: FieldNames, by: string) {
    this.#text = text
    this.#names = names
    this.#by = by
    this.#splice = new Splice(text)
  }

  run (): string {
    const text = this.#text
    const last = text.length - 1
    let start = 0
    // The last character can be part of a name, and not the name of a field with a value. No code is read beyond it.
    while (start < last) {
      let escaped = false
      let end = start
      if (!isNameStart(text.charCodeAt(start))) {
        end += escapedNameLength(text, start, isNameStart)
        if (end === start) {
          start = afterNoName(text, start)
          continue
        }
        escaped = true
      }
      let code = 0
      for (;;) {
        while (end < last && isName(code = text.charCodeAt(end))) end++
        const length = code === PERCENT || isBackslash(code) ? escapedNameLength(text, end, isName) : 0
        if (length === 0) break
        escaped = true
        end += length
      }
      if (end >= last) break
      const isElement = start > 0 && (start === this.#prefixEnd || text.charCodeAt(start - 1) === LESS_THAN)
      start = !isElement && isNoField(code, text.charCodeAt(end + 1)) ? end : this.#name(start, end, escaped, isElement)
    }
    return this.#splice.finish()
  }

  /** Redacts the value of the field that has its name here, if it is one; returns where to look next. */
  #name (start: number, end: number, escaped: boolean, isElement: boolean): number {
    const text = this.#text
    const closed = closedName(text, end)
    const value = valueStart(text, closed)
    if (value !== null) {
      if (isElement && text.charCodeAt(end) === COLON) this.#prefixEnd = end + 1
      return this.#isNamed(start, end, escaped) ? redactValue(text, value, this.#by, this.#splice) : end
    }
    if (lengthOf(text, closed, isOpening) > 0) {
      return this.#isNamed(start, end, escaped) ? this.#bracketed(closed) ?? end : end
    }
    return isElement && this.#isNamed(start, end, escaped) ? this.#element(end) : end
  }

  #isNamed (start: number, end: number, escaped: boolean): boolean {
    const name = this.#text.slice(start, end)
    return this.#names.has(escaped ? decodeName(name) : name)
  }

  #bracketed (closed: number): number | null {
    const brackets = bracketsEnd(this.#text, closed)
    const value = brackets === null ? null : valueStart(this.#text, brackets)
    return value === null ? null : redactValue(this.#text, value, this.#by, this.#splice)
  }

  #element (nameEnd: number): number {
    const text = this.#text
    const content = elementContent(text, nameEnd)
    if (content === null) return nameEnd
    const end = redactElement(text, content, this.#by, this.#splice, this.#elements)
    return end ?? redactValue(text, { at: content, encoded: false }, this.#by, this.#splice)
  }
}

/**
 * Redacts the values of fields in text that is not JSON: `name=value`, `name: value`, `"name":"value"`, the latter also
 * with escaped quotes, `name[]=value`, `<name>value</name>`, also in URLs and with escaped characters in the name. An
 * unquoted value ends with its word. Linear: no value is looked at again.
 * @param by stands in place of each value
 */
export function redactFields (text: string, names: FieldNames, by = REDACTED): string {
  return new FieldScan(text, names, by).run()
}
