import { answerWithin } from '../../../lib/redis/ask.js'
import type { Context } from './context.js'
import { fault, type Finding, type Line } from './report.js'

/** One part of the set-up, looked at on its own. */
export interface Check {
  name: string
  /** Leaves nothing behind. What it throws is the fault of its one line. */
  run (context: Context): Promise<Finding[]>
}

/** The longest that a check may take; most are done in a second. */
const CHECK_TIMEOUT_MS = 15_000

/** Runs all checks side by side. @returns their lines, in the order of the checks */
export async function runChecks (checks: readonly Check[], context: Context): Promise<Line[]> {
  return (await Promise.all(checks.map(check => runCheck(check, context)))).flat()
}

async function runCheck (check: Check, context: Context): Promise<Line[]> {
  const { name } = check
  try {
    const findings = await answerWithin(CHECK_TIMEOUT_MS, check.run(context))
    return findings.map(({ level, subject, finding, mend }) => ({
      level,
      check: name,
      subject,
      finding: context.strikeSecrets(finding),
      ...(mend === undefined ? {} : { mend: context.strikeSecrets(mend) })
    }))
  } catch (error) {
    const { message } = error as Error
    return [{ check: name, ...fault(name, context.strikeSecrets(message), 'See docs/operations.md, "Doctor".') }]
  }
}
