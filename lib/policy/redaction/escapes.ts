import { isBackslash } from './characters.js'

/** Characters written by their code: `%3D` in URLs, `\x3d` and `\u003d` in strings, whose backslash may be escaped. */

const PERCENT = 0x25
const LOWER_U = 0x75
const LOWER_X = 0x78
const SHORT = 2
const LONG = 4
const ESCAPES = /\\+u([\da-fA-F]{4})|\\+x([\da-fA-F]{2})|%([\da-fA-F]{2})/g

function isHex (code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66)
}

function areHex (text: string, start: number, count: number): boolean {
  for (let i = start; i < start + count; i++) {
    if (!isHex(text.charCodeAt(i))) return false
  }
  return true
}

/** The length of the escape at this offset; 0 when there is none. */
export function escapeLength (text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code === PERCENT) return areHex(text, at + 1, SHORT) ? 1 + SHORT : 0
  if (!isBackslash(code)) return 0
  let kind = at + 1
  while (isBackslash(text.charCodeAt(kind))) kind++
  const digits = text.charCodeAt(kind) === LOWER_U ? LONG : text.charCodeAt(kind) === LOWER_X ? SHORT : 0
  return digits > 0 && areHex(text, kind + 1, digits) ? kind + 1 + digits - at : 0
}

/** The code that an escape of this length stands for. */
export function escapedCode (text: string, at: number, length: number): number {
  const end = at + length
  const isLong = length > LONG + 1 && text.charCodeAt(end - LONG - 1) === LOWER_U
  return Number.parseInt(text.slice(end - (isLong ? LONG : SHORT), end), 16)
}

export function decodeName (name: string): string {
  return name.replace(ESCAPES, (_, ...codes: string[]) =>
    String.fromCharCode(Number.parseInt(codes.find(Boolean)!, 16)))
}
