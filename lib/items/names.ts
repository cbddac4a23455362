import { CONTROL_CHARACTERS, LOG_GROUP_NAME, LOG_STREAM_NAME, PUT_METRIC_DATA } from '../../schemas/aws-limits.js'

/** Printable ASCII, which is all that CloudWatch takes in names and dimensions. */
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/
const NOT_BLANK = /[^ ]/
const RESERVED_NAMESPACE = 'AWS/'

/** Null when CloudWatch takes this text as a name of at most `maxLength` characters, else the rule it breaks. */
export function textError (text: string, maxLength: number): string | null {
  if (text.length === 0) return 'must not be empty'
  if (text.length > maxLength) return `must have at most ${maxLength} characters`
  if (!PRINTABLE_ASCII.test(text)) return 'must be printable ASCII'
  if (!NOT_BLANK.test(text)) return 'must not be blank'
  return null
}

const GROUP_NAME = new RegExp(LOG_GROUP_NAME.PATTERN)
const STREAM_NAME = new RegExp(LOG_STREAM_NAME.PATTERN)
const CONTROL = new RegExp(CONTROL_CHARACTERS)

/** Null when CloudWatch takes this log group name, else the rule it breaks. */
export function logGroupNameError (name: string): string | null {
  if (name.length === 0) return 'must not be empty'
  if (name.length > LOG_GROUP_NAME.MAX_LENGTH) return `must have at most ${LOG_GROUP_NAME.MAX_LENGTH} characters`
  if (!GROUP_NAME.test(name)) return 'must be made of letters, digits and . - _ / #'
  if (name.startsWith(LOG_GROUP_NAME.RESERVED_PREFIX)) {
    return `must not start with "${LOG_GROUP_NAME.RESERVED_PREFIX}", which is AWS's own`
  }
  return null
}

/** Null when CloudWatch takes this log stream name, else the rule it breaks. */
export function logStreamNameError (name: string): string | null {
  if (name.length === 0) return 'must not be empty'
  if (name.length > LOG_STREAM_NAME.MAX_LENGTH) return `must have at most ${LOG_STREAM_NAME.MAX_LENGTH} characters`
  if (!STREAM_NAME.test(name)) return 'must not contain : or *'
  if (CONTROL.test(name)) return 'must not contain control characters'
  if (!name.isWellFormed()) return 'must be well-formed Unicode'
  return null
}

/** Null when CloudWatch takes metrics in this namespace, else the rule it breaks. */
export function namespaceError (namespace: string): string | null {
  if (namespace.startsWith(RESERVED_NAMESPACE)) return `must not start with "${RESERVED_NAMESPACE}", which is AWS's own`
  if (namespace.startsWith(':')) return 'must not start with a colon'
  return textError(namespace, PUT_METRIC_DATA.MAX_NAMESPACE_LENGTH)
}
