/** Seconds that a request may wait for delivery. */
const MAX_WAIT_SECONDS = 30
const WAIT = /^wait\s*=\s*"?(\d{1,9})"?$/i

/**
 * Seconds of `wait=N` in a Prefer header (RFC 7240), at most MAX_WAIT_SECONDS; 0 when it is absent or cannot be read.
 */
export function readPreferWait (header: string | undefined): number {
  if (header === undefined) return 0
  for (const preference of header.split(',')) {
    const wait = WAIT.exec(preference.split(';')[0]!.trim())
    if (wait !== null) return Math.min(Number(wait[1]), MAX_WAIT_SECONDS)
  }
  return 0
}
