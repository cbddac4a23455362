/** Classes of characters, by UTF-16 code unit. */

const QUOTE = 0x22
const APOSTROPHE = 0x27
const BACKTICK = 0x60
const BACKSLASH = 0x5c

/** The ASCII characters of a class, as a table to look up a code in. */
export function asciiTable (characters: string): Uint8Array {
  const table = new Uint8Array(128)
  for (const character of characters) table[character.charCodeAt(0)] = 1
  return table
}

export const DIGITS = '0123456789'
export const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const ALPHANUMERIC = asciiTable(DIGITS + LETTERS)

export function isDigit (code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

export function isAlphanumeric (code: number): boolean {
  return ALPHANUMERIC[code] === 1
}

/**
 * Beyond ASCII every character that is neither space nor punctuation counts as a letter, as for names in any script.
 */
export function isForeignLetter (code: number): boolean {
  return code > 0xa0 && !(code >= 0x2000 && code <= 0x206f) && !(code >= 0x3000 && code <= 0x303f) && code !== 0xfeff
}

/** Every white space of Unicode, and the control characters of ASCII. */
export function isSpace (code: number): boolean {
  if (code < 0x80) return code <= 0x20
  return code === 0x85 || code === 0xa0 || code === 0x1680 || (code >= 0x2000 && code <= 0x200b) || code === 0x2028 ||
    code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000 || code === 0xfeff
}

export function isQuote (code: number): boolean {
  return code === QUOTE || code === APOSTROPHE || code === BACKTICK
}

export function isBackslash (code: number): boolean {
  return code === BACKSLASH
}

/**
 * Whether a word ends before this character: at a space, at a quote that does not stand inside the word, as the one of
 * "it's" does, and at a backslash that escapes neither a slash nor a character.
 */
export function endsWord (text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  if (isSpace(code)) return true
  if (isQuote(code)) return !isAlphanumeric(text.charCodeAt(at + 1))
  if (code !== BACKSLASH) return false
  const next = text[at + 1]
  return next !== 'u' && next !== '/'
}

const CLOSING = asciiTable(')]},;.!:')

/** The end of a word without the punctuation that follows it in a sentence. */
export function withoutPunctuation (text: string, start: number, end: number): number {
  while (end > start && CLOSING[text.charCodeAt(end - 1)] === 1) end--
  return end
}
