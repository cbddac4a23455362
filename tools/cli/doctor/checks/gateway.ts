import { isObject } from '../../../../lib/guards.js'
import type { Health, HealthDetail } from '../../../../schemas/health.js'
import type { Check } from '../check.js'
import type { Context } from '../context.js'
import { fault, ok, warning, type Finding } from '../report.js'

const TIMEOUT_MS = 4_000
const SUBJECT = 'gateway'

/** @returns null for an answer that is not JSON */
async function ask<T> (
  url: string, headers: Record<string, string> = {}
): Promise<{ status: number, body: Partial<T> } | null> {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'manual' })
  const body: unknown = await answer.json().catch(() => null)
  return isObject(body) ? { status: answer.status, body: body as Partial<T> } : null
}

/** Whether nobody listens there, rather than somebody who does not answer. */
function isAway (error: Error): boolean {
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
}

/** With the messages, when the admin token is known here. */
async function failingParts (
  { url, config }: Context, known: Health['failing'], isReady: boolean
): Promise<Finding[]> {
  const { ADMIN_TOKEN } = config
  const detail = ADMIN_TOKEN === undefined
    ? null
    : await ask<HealthDetail>(`${url}/admin/health`, { Authorization: `Bearer ${ADMIN_TOKEN}` }).catch(() => null)
  if (detail?.status !== 200 || detail.body.failing === undefined) {
    const line = isReady ? warning : fault
    return known.map(({ part, class: health }) => line(
      `${SUBJECT}: ${part}`, `fails: ${health}`, 'Set ADMIN_TOKEN, with which GET /admin/health tells more.'
    ))
  }
  return detail.body.failing.map(({ part, message, partial }) => {
    const [subject, mend] = [`${SUBJECT}: ${part}`, 'See docs/operations.md, "Watch it".']
    return partial ? warning(subject, message, mend) : fault(subject, message, mend)
  })
}

/** The gateway itself, if it runs. */
export const gateway: Check = {
  name: SUBJECT,
  async run (context) {
    const { url } = context
    try {
      const ready = await ask<Health>(`${url}/health/ready`)
      if (ready === null || !Array.isArray(ready.body.failing)) {
        return [warning(SUBJECT, `something else answers at ${url}`, 'Name the gateway with --url.')]
      }
      const { failing } = ready.body
      if (failing.length === 0) return [ok(SUBJECT, `runs at ${url}, and is ready`)]
      const isReady = ready.status === 200
      const findings = await failingParts(context, failing, isReady)
      return [isReady
        ? ok(SUBJECT, `runs at ${url}, and is ready in parts`)
        : fault(SUBJECT, `runs at ${url}, and is not ready`, 'Mend what its parts say.'), ...findings]
    } catch (error) {
      if (isAway(error as Error)) return [ok(SUBJECT, `none runs at ${url}`)]
      const finding = `${url} does not answer: ${(error as Error).message}`
      return [warning(SUBJECT, finding, 'Look into the log of the gateway.')]
    }
  }
}
