import { connectTo, type Target } from '../../../../lib/delivery/aws-endpoint.js'
import { classifyFailure } from '../../../../lib/resilience/failure.js'
import type { Check } from '../check.js'
import type { Context } from '../context.js'
import { fault, ok, warning, type Finding } from '../report.js'

const MEND = 'Check AWS_REGION, AWS_ENDPOINT_URL, name resolution, and the way out: a NAT gateway, or VPC endpoints ' +
  'for monitoring and logs.'

export function urlOf ({ protocol, hostname, port }: Target): string {
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`
}

async function reach (api: string, target: Target, { config }: Context): Promise<Finding> {
  const subject = `${api} in ${config.AWS_REGION}`
  try {
    await connectTo(target)
    return ok(subject, `${urlOf(target)} can be reached`)
  } catch (error) {
    const finding = `${urlOf(target)} cannot be reached: ${classifyFailure(error).message}`
    return config.FORWARDER === 'off'
      ? warning(subject, `${finding}; this process delivers nothing (FORWARDER=off)`, MEND)
      : fault(subject, finding, MEND)
  }
}

/** Whether both endpoints can be connected to, which asks nothing of AWS. */
export const endpoints: Check = {
  name: 'endpoints',
  async run (context) {
    const { cloudwatch, logs } = await context.aws.endpoints()
    return await Promise.all([
      reach('CloudWatch', cloudwatch, context), reach('CloudWatch Logs', logs, context)
    ])
  }
}
