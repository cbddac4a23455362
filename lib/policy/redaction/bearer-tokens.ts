import { asciiTable, DIGITS, isAlphanumeric, isSpace, LETTERS } from './characters.js'
import { REDACTED, Splice } from './splice.js'

const SCHEME = /bearer/gi
const SCHEME_LENGTH = 6
const SEPARATOR = asciiTable(':=+"\'')
const TOKEN = asciiTable(DIGITS + LETTERS + '-._~+/=%')
const PLAIN_WORD = /^[a-z]+$/
/** A shorter one, or a word of a sentence such as "bearer certificate", is no token. */
const MIN_TOKEN_LENGTH = 8
const MIN_WORD_LENGTH = 16

/** The header of every JWT starts with this, as its JSON starts with `{"`. */
const JWT_START = 'eyJ'
const JWT_PART = asciiTable(DIGITS + LETTERS + '-_')
const DOT = 0x2e
/** Of a header that names an algorithm. */
const MIN_JWT_HEADER_LENGTH = 12

function redactSchemes (text: string): string {
  const splice = new Splice(text)
  SCHEME.lastIndex = 0
  for (let match = SCHEME.exec(text); match !== null; match = SCHEME.exec(text)) {
    const start = tokenStart(text, match.index)
    if (start === null) continue
    let end = start
    while (TOKEN[text.charCodeAt(end)] === 1) end++
    if (!isToken(text.slice(start, end))) continue
    splice.replace(start, end, REDACTED)
    SCHEME.lastIndex = end
  }
  return splice.finish()
}

/** Null when no token can follow. */
function tokenStart (text: string, scheme: number): number | null {
  if (scheme > 0 && isAlphanumeric(text.charCodeAt(scheme - 1))) return null
  const after = scheme + SCHEME_LENGTH
  let start = after
  if (text.startsWith('%20', start)) start += 3
  for (let code = text.charCodeAt(start); SEPARATOR[code] === 1 || isSpace(code); code = text.charCodeAt(start)) start++
  return start > after ? start : null
}

function isToken (text: string): boolean {
  const length = text.endsWith('.') ? text.length - 1 : text.length
  return length >= MIN_WORD_LENGTH || (length >= MIN_TOKEN_LENGTH && !PLAIN_WORD.test(text.slice(0, length)))
}

function redactJwts (text: string): string {
  let start = text.indexOf(JWT_START)
  if (start < 0) return text
  const splice = new Splice(text)
  while (start >= 0) {
    let end = start
    let dots = 0
    let header = 0
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === DOT && ++dots === 1) header = end - start
      else if (code !== DOT && JWT_PART[code] !== 1) break
    }
    if (dots >= 2 && header >= MIN_JWT_HEADER_LENGTH) splice.replace(start, end, REDACTED)
    // A start further on in the same run has no more dots to its right than this one.
    start = text.indexOf(JWT_START, end)
  }
  return splice.finish()
}

/** Redacts the token that follows `Bearer`, and JWTs wherever they are. */
export function redactBearerTokens (text: string): string {
  return redactJwts(redactSchemes(text))
}
