import { UsageError } from '../cli/usage-error.js'

/** The value of an option that takes a positive integer. @throws UsageError */
export function positiveInteger (name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value <= 0) {
    throw new UsageError(`--${name} must be a positive integer, not ${text}`)
  }
  return value
}
