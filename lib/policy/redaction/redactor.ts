import type { Application, RedactionPattern } from '../../../schemas/applications.js'
import { isJson, editJson, startsWithAny, type JsonEdit } from '../json-editor.js'
import { redactBearerTokens } from './bearer-tokens.js'
import { redactCardNumbers } from './card-numbers.js'
import { redactEmails } from './emails.js'
import { FieldNames } from './field-names.js'
import { redactFields } from './fields.js'
import { REDACTED } from './splice.js'
import { stripUrlQueries } from './url-queries.js'

export type RedactionSettings = Application['redaction']

/** JSON in a string of JSON in a string … is read down to this depth, and as text below it. */
const MAX_JSON_IN_JSON = 4
const REDACTED_JSON = JSON.stringify(REDACTED)
const PATTERNS: Record<RedactionPattern, (text: string) => string> = {
  'bearer-token': redactBearerTokens,
  email: redactEmails,
  'card-number': redactCardNumbers
}

/** Redacts in linear time, whatever the input. */
export class Redactor {
  readonly #names: FieldNames | null
  readonly #patterns: ReadonlyArray<(text: string) => string>
  readonly #numbers: boolean
  readonly #edits: JsonEdit[]

  constructor ({ fields = [], patterns = [], urlQueries = false }: RedactionSettings) {
    this.#names = fields.length === 0 ? null : new FieldNames(fields)
    const wanted = (Object.keys(PATTERNS) as RedactionPattern[]).filter(pattern => patterns.includes(pattern))
    this.#patterns = [...(urlQueries ? [stripUrlQueries] : []), ...wanted.map(pattern => PATTERNS[pattern])]
    this.#numbers = patterns.includes('card-number')
    this.#edits = Array.from({ length: MAX_JSON_IN_JSON + 1 }, (_, depth) => this.#createEdit(depth))
  }

  /** A log message: the values of JSON one by one, anything else as text. */
  message (message: string): string {
    return this.#message(message, 0)
  }

  text (text: string): string {
    let redacted = this.#names === null ? text : redactFields(text, this.#names)
    for (const pattern of this.#patterns) redacted = pattern(redacted)
    return redacted
  }

  /** The value of something with a name of its own. */
  value (name: string, value: string): string {
    return this.#names?.has(name) === true ? REDACTED : this.text(value)
  }

  #message (text: string, depth: number): string {
    return depth <= MAX_JSON_IN_JSON && startsWithAny(text, '{[') && isJson(text)
      ? editJson(text, this.#edits[depth]!)
      : this.text(text)
  }

  #createEdit (depth: number): JsonEdit {
    return {
      member: name => this.#names?.has(name) === true ? REDACTED_JSON : undefined,
      string: text => this.#message(text, depth + 1),
      number: literal => this.#numbers && redactCardNumbers(literal) !== literal ? REDACTED_JSON : undefined
    }
  }
}

/** Null when there is nothing to redact. */
export function createRedactor (settings: RedactionSettings): Redactor | null {
  const { fields = [], patterns = [], urlQueries = false } = settings
  return fields.length > 0 || patterns.length > 0 || urlQueries ? new Redactor(settings) : null
}
