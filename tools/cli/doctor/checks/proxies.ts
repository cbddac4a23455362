import { connectTo } from '../../../../lib/delivery/aws-endpoint.js'
import type { Check } from '../check.js'
import type { Context } from '../context.js'
import { ok, warning, type Finding } from '../report.js'

const OUTWARD = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
/** Headers that only somebody in front of the gateway adds to its answers. */
const SIGNS = ['server', 'via', 'x-cache', 'x-amz-cf-id', 'cf-ray', 'x-served-by', 'x-envoy-upstream-service-time']
const TIMEOUT_MS = 3_000

/** The SDK goes its way without a proxy, whatever these variables say. */
async function checkOutward ({ environment, aws }: Context): Promise<Finding> {
  const set = OUTWARD.filter(name => (environment[name] ?? '') !== '')
  if (set.length === 0) return ok('proxy to AWS', 'none is set')
  const finding = `${set.join(', ')} ${set.length === 1 ? 'is' : 'are'} set, and not used: calls to AWS go straight`
  const isReached = await aws.endpoints()
    .then(({ cloudwatch, logs }) => Promise.all([connectTo(cloudwatch), connectTo(logs)]))
    .then(() => true, () => false)
  return isReached
    ? ok('proxy to AWS', `${finding}, and arrive`)
    : warning('proxy to AWS', finding, 'Open a way without a proxy: VPC endpoints for monitoring and logs, or NAT.')
}

/** What answers at the address of the gateway shows whether somebody stands in front of it. */
async function signsAt (url: string): Promise<string[] | null> {
  try {
    const answer = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'manual' })
    await answer.body?.cancel()
    return SIGNS.filter(name => answer.headers.has(name))
  } catch {
    return null
  }
}

async function checkInward ({ config, url }: Context): Promise<Finding> {
  const subject = 'proxies before the gateway'
  const { TRUST_PROXY, PUBLIC_ORIGIN } = config
  const asked = PUBLIC_ORIGIN ?? url
  const signs = await signsAt(asked)
  const seen = signs === null
    ? `nobody answers at ${asked}`
    : signs.length === 0 ? `none is seen at ${asked}` : `one is seen at ${asked} (${signs.join(', ')})`
  if (TRUST_PROXY !== undefined) return ok(subject, `TRUST_PROXY is ${TRUST_PROXY}; ${seen}`)
  if (signs === null || signs.length === 0) return ok(subject, `none is trusted (TRUST_PROXY); ${seen}`)
  return warning(
    subject, `${seen}, and none is trusted: all clients count as one IP for the limits`,
    'Set TRUST_PROXY to the number of proxies, or to their addresses.'
  )
}

/** The proxies on the way to AWS, and those between clients and the gateway. */
export const proxies: Check = {
  name: 'proxies',
  run: async context => await Promise.all([checkOutward(context), checkInward(context)])
}
