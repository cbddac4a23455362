import type { UnixMs } from '../../schemas/common.js'

const ISO_8601 = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/
const DIGITS = /^\d{1,16}(\.\d{1,16})?$/
/** Unix seconds do not reach this before the year 5138; milliseconds have passed it in 1973. */
const SECONDS_BELOW = 1e11

/** Reads ISO 8601 or Unix seconds; a number above 1e11 is read as milliseconds. Null: neither. */
export function readMetricTimestamp (value: unknown): UnixMs | null {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? Math.round(value > SECONDS_BELOW ? value : value * 1000) : null
  }
  if (typeof value !== 'string' || !ISO_8601.test(value)) return null
  const milliseconds = Date.parse(value)
  return Number.isNaN(milliseconds) ? null : milliseconds
}

/** Reads Unix milliseconds, as a number or a string of digits; a fraction is rounded. Null: neither. */
export function readLogTimestamp (value: unknown): UnixMs | null {
  const milliseconds = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value
  if (typeof milliseconds !== 'number') return null
  const rounded = Math.round(milliseconds)
  return Number.isSafeInteger(rounded) && rounded >= 0 ? rounded : null
}

export function daysOrHours (milliseconds: number): string {
  const hours = milliseconds / 3_600_000
  return hours > 48 ? `${hours / 24} days` : `${hours} hours`
}
