import { AWS_TIMEOUT_MS } from '../context.js'
import type { Check } from '../check.js'
import { fault, ok, warning, type Finding } from '../report.js'
import { urlOf } from './endpoints.js'

/**
 * How far the time of a signature may be from the time of AWS.
 * {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html}
 */
const MAX_SIGNATURE_SKEW_MS = 5 * 60_000
/** A clock that is kept in time is nearer than this; the Date header has whole seconds. */
const NOTICED_SKEW_MS = 5_000
const MEND = 'Have the clock set by NTP (chrony, systemd-timesyncd); on EC2 by 169.254.169.123.'

function judge (skewMs: number): Finding {
  const seconds = Math.round(Math.abs(skewMs) / 1_000)
  const finding = `${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of AWS`
  if (Math.abs(skewMs) >= MAX_SIGNATURE_SKEW_MS) {
    return fault('clock', `${finding}: AWS refuses signatures that are 5 minutes off`, MEND)
  }
  if (Math.abs(skewMs) >= NOTICED_SKEW_MS) {
    return warning('clock', `${finding}: tokens and items are refused too early or too late`, MEND)
  }
  return ok('clock', 'within 5 s of that of AWS')
}

/** The clock of this machine against the Date header of an unsigned request, which every server answers. */
export const clock: Check = {
  name: 'clock',
  async run ({ aws }) {
    const url = urlOf((await aws.endpoints()).cloudwatch)
    const unknown = (why: string): Finding[] =>
      [warning('clock', `unknown, as ${url} ${why}`, 'Mend the way to CloudWatch, and look again.')]
    const sentAt = Date.now()
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(AWS_TIMEOUT_MS) })
      .catch(() => null)
    const receivedAt = Date.now()
    await answer?.body?.cancel().catch(() => {})
    if (answer === null) return unknown('does not answer')
    const date = Date.parse(answer.headers.get('date') ?? '')
    if (Number.isNaN(date)) return unknown('does not tell the time')
    return [judge((sentAt + receivedAt) / 2 - date)]
  }
}
