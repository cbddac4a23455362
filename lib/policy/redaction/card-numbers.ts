import { isDigit } from './characters.js'
import { REDACTED, Splice } from './splice.js'

const MIN_DIGITS = 13
const MAX_DIGITS = 19
const DOT = 0x2e
const ONE = 0x31
/**
 * First digits of cards by their number of digits. They keep Unix times in milliseconds (13 digits), microseconds (16)
 * and nanoseconds (19) apart, as these start with 1.
 */
const FIRST_DIGITS: Record<number, string> = {
  13: '4',
  14: '356',
  15: '2356',
  16: '23456789',
  17: '23456789',
  18: '23456789',
  19: '23456789'
}
/** How the digits of a card are grouped; where the last group may have 1 to 4, it is not written. */
const GROUPINGS = [[4, 6, 5], [4, 6, 4], [6, 13], [8, 8]]
const FOURS = 4
/** The same one stands between all groups; the long ones are as URLs, JSON and HTML write them. */
const SEPARATORS = [
  ' ', '-', '.', '+', '_', '/', '\t', '\u00a0', '\u2007', '\u2009', '\u202f', '\u2010', '\u2011', '\u2012', '\u2013',
  '%20', '%C2%A0', '%c2%a0', '\\u00a0', '\\u00A0', '&nbsp;'
]

/** The check digit of ISO/IEC 7812. */
function isLuhn (digits: string): boolean {
  let sum = 0
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    const digit = digits.charCodeAt(i) - 0x30
    sum += double ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return sum % 10 === 0
}

function isCard (digits: string): boolean {
  return FIRST_DIGITS[digits.length]?.includes(digits[0]!) === true && isLuhn(digits)
}

/** The end of the digits from here on; more than a card has are not counted. */
function groupEnd (text: string, start: number): number {
  let end = start
  while (end - start <= MAX_DIGITS && isDigit(text.charCodeAt(end))) end++
  return end
}

/** The ends of up to five groups of digits with the same separator between them. */
function groupEnds (text: string, start: number): { ends: number[], separator: string } {
  const ends = [groupEnd(text, start)]
  const after = text[ends[0]!]
  const separator = after === undefined
    ? ''
    : SEPARATORS.find(separator => separator[0] === after && text.startsWith(separator, ends[0])) ?? ''
  if (separator === '') return { ends, separator }
  for (let end = ends[0]!; ends.length < 5 && text.startsWith(separator, end); end = ends.at(-1)!) {
    const next = end + separator.length
    if (!isDigit(text.charCodeAt(next))) break
    ends.push(groupEnd(text, next))
  }
  return { ends, separator }
}

/** Where a card that starts here and is written in groups ends; null when there is none. */
function groupedCardEnd (text: string, start: number): number | null {
  const { ends, separator } = groupEnds(text, start)
  const sizes = ends.map((end, i) => end - (i === 0 ? start : ends[i - 1]! + separator.length))
  for (let count = ends.length; count > 1; count--) {
    const end = ends[count - 1]!
    const grouping = sizes.slice(0, count)
    const fours = grouping.every((size, i) => i === count - 1 ? size <= FOURS : size === FOURS)
    if (!fours && !GROUPINGS.some(known => known.length === count && known.every((size, i) => size === grouping[i]))) {
      continue
    }
    if (isCard(text.slice(start, end).replaceAll(separator, ''))) return end
  }
  return null
}

/**
 * Redacts card numbers: 13 to 19 digits with the right check digit, in one piece or in groups as cards show them. The
 * digits after a decimal point are none. Linear: from the start of a group at most five groups are looked ahead.
 */
export function redactCardNumbers (text: string): string {
  const splice = new Splice(text)
  let i = 0
  while (i < text.length) {
    if (!isDigit(text.charCodeAt(i))) {
      i++
      continue
    }
    const start = i
    while (isDigit(text.charCodeAt(i))) i++
    if (text.charCodeAt(start - 1) === DOT && isDigit(text.charCodeAt(start - 2))) continue
    const size = i - start
    const end = size >= MIN_DIGITS
      ? (size <= MAX_DIGITS && isCard(text.slice(start, i)) ? i : null)
      : size >= FOURS && text.charCodeAt(start) > ONE ? groupedCardEnd(text, start) : null
    if (end === null) continue
    splice.replace(start, end, REDACTED)
    i = end
  }
  return splice.finish()
}
