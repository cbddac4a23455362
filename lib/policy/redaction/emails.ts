import { asciiTable, DIGITS, isAlphanumeric, isForeignLetter, LETTERS } from './characters.js'
import { REDACTED, Splice } from './splice.js'

const LOCAL = asciiTable(DIGITS + LETTERS + '._%+-\'')
/** Allowed in an address as well, but where several characters meet they seldom belong to it: `?email=a@b.example`. */
const RARE_LOCAL = asciiTable('!#$&*/=?^`{|}~')
const DOT = 0x2e
const HYPHEN = 0x2d

function isLocal (code: number): boolean {
  return LOCAL[code] === 1 || isForeignLetter(code)
}

/** Where the part before the sign starts. */
function localStart (text: string, at: number, floor: number): number {
  let start = at
  while (start > floor && isLocal(text.charCodeAt(start - 1))) start--
  if (start < at) return start
  while (start > floor && RARE_LOCAL[text.charCodeAt(start - 1)] === 1) start--
  return start
}

function isTopLevel (text: string, start: number, end: number): boolean {
  if (end - start < 2) return false
  for (let i = start; i < start + 2; i++) {
    const code = text.charCodeAt(i)
    if (!(isAlphanumeric(code) && code > 0x39) && !isForeignLetter(code)) return false
  }
  return true
}

/** Where the longest domain with a dot and a plausible top level ends; `start` when there is none. */
function domainEnd (text: string, start: number): number {
  let end = start
  let label = start
  for (let i = start; i <= text.length; i++) {
    const code = text.charCodeAt(i)
    if (isAlphanumeric(code) || code === HYPHEN || isForeignLetter(code)) continue
    if (label > start && isTopLevel(text, label, i)) end = i
    if (code !== DOT || i === label) break
    label = i + 1
  }
  return end
}

/**
 * Redacts e-mail addresses, also with their sign written as in URLs (`%40`). Linear: to the left and to the right of a
 * sign no character is looked at again for another one.
 */
export function redactEmails (text: string): string {
  let sign = text.indexOf('@')
  let escaped = text.indexOf('%40')
  if (sign < 0 && escaped < 0) return text
  const splice = new Splice(text)
  let floor = 0
  while (sign >= 0 || escaped >= 0) {
    const plain = escaped < 0 || (sign >= 0 && sign < escaped)
    const at = plain ? sign : escaped
    const after = at + (plain ? 1 : 3)
    const start = localStart(text, at, floor)
    const end = domainEnd(text, after)
    floor = after
    if (start < at && end > after) {
      splice.replace(start, end, REDACTED)
      floor = end
    }
    if (sign >= 0 && sign < floor) sign = text.indexOf('@', floor)
    if (escaped >= 0 && escaped < floor) escaped = text.indexOf('%40', floor)
  }
  return splice.finish()
}
