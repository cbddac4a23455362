/** Characters; ids of platforms and gateways have a few dozen. */
const MAX_CLIENT_ID_LENGTH = 256

/** Control characters, line and paragraph separators, and halves of a surrogate pair, which cannot be encoded. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u
/**
 * Characters with a meaning of their own: in the platform's query, in the line of the access log that the id is written
 * to, and between the values of a header that came twice.
 */
const AMBIGUOUS = /[&%"\\,]/
/** How an access log writes that there is no value. */
const NO_VALUE = '-'

/** Null when a platform may be asked about this client id, else the rule it breaks. */
export function clientIdError (id: string | undefined): string | null {
  if (id === undefined || id.trim() === '' || id === NO_VALUE) return 'must not be missing'
  const rule = applicationIdError(id)
  if (rule !== null) return rule
  return AMBIGUOUS.test(id) ? 'must not contain & % " , or \\' : null
}

/** Null when a call may be metered for this id, whoever has issued it; else the rule it breaks. */
export function applicationIdError (id: string): string | null {
  if (id.length > MAX_CLIENT_ID_LENGTH) return `must have at most ${MAX_CLIENT_ID_LENGTH} characters`
  return UNPRINTABLE.test(id) ? 'must be printable' : null
}
