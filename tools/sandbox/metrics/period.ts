import { cloudwatch } from '../aws-error.js'
import { numberOf, type Input } from '../input.js'

const SUB_MINUTE_PERIODS = [1, 5, 10, 20, 30]
/** Data points of less than a minute are kept for three hours. */
const SUB_MINUTE_RETENTION_MS = 3 * 3_600_000

export function requirePeriod (period: number | undefined, path: string): number {
  if (period === undefined) throw cloudwatch.missing(`The parameter ${path} is required.`)
  if (!SUB_MINUTE_PERIODS.includes(period) && !(Number.isInteger(period) && period > 0 && period % 60 === 0)) {
    throw cloudwatch.invalidValue(`The parameter ${path} must be 1, 5, 10, 20, 30 or a multiple of 60.`)
  }
  return period
}

/** StartTime and EndTime in Unix milliseconds. */
export function requireTimeRange (input: Input): { start: number, end: number } {
  const read = (name: string): number => {
    const seconds = numberOf(input, name)
    if (seconds === undefined) throw cloudwatch.missing(`The parameter ${name} is required.`)
    return Math.round(seconds * 1_000)
  }
  return { start: read('StartTime'), end: read('EndTime') }
}

/** The start of the first period: StartTime rounded down to the minute, or to a period of less than a minute. */
export function alignStart (start: number, period: number): number {
  const width = Math.min(period, 60) * 1_000
  return Math.floor(start / width) * width
}

/** The oldest data that a period can be read from, in Unix milliseconds. */
export function oldestReadable (period: number, now: number): number {
  return period < 60 ? now - SUB_MINUTE_RETENTION_MS : -Infinity
}
