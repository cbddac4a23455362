import { logs } from '../aws-error.js'

const TERM = /([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*/y
const UNQUOTED = /^[\p{L}\p{N}_]+$/u

/**
 * Compiles a filter pattern made of terms: every plain term has to occur in the message, none with a minus in front,
 * and at least one of those with a question mark. A term with other characters than letters, digits and `_` is quoted.
 * Case matters.
 * @throws AwsError for a pattern that is malformed, and for JSON and space-delimited patterns
 */
export function compileFilterPattern (pattern: string): (message: string) => boolean {
  const text = pattern.trim()
  if (/^[{[%]/.test(text)) throw logs.invalidParameter('The sandbox understands filter patterns of terms only.')
  const required: string[] = []
  const excluded: string[] = []
  const optional: string[] = []
  TERM.lastIndex = 0
  while (TERM.lastIndex < text.length) {
    const match = TERM.exec(text)
    if (match === null) throw logs.invalidParameter('Invalid filter pattern')
    const [, sign, quoted, plain] = match
    if (plain !== undefined && !UNQUOTED.test(plain)) {
      throw logs.invalidParameter(`Invalid character(s) in term '${plain}'`)
    }
    const term = plain ?? quoted!.replaceAll(/\\(.)/g, '$1')
    const terms = sign === '-' ? excluded : sign === '?' ? optional : required
    terms.push(term)
  }
  return message =>
    required.every(term => message.includes(term)) &&
    !excluded.some(term => message.includes(term)) &&
    (optional.length === 0 || optional.some(term => message.includes(term)))
}
