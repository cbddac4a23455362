import { CONTROL_CHARACTERS } from '../../schemas/aws-limits.js'

const CONTROL = new RegExp(CONTROL_CHARACTERS, 'g')

/** The text in one line, with its control characters escaped, so that a terminal shows and does not obey them. */
export function printable (text: string): string {
  return text.replace(CONTROL, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same for a text whose line breaks are meant. */
export function printableLines (text: string): string {
  return text.split('\n').map(printable).join('\n')
}
