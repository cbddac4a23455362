import { answerWithin } from '../../../../lib/redis/ask.js'
import { classifyFailure } from '../../../../lib/resilience/failure.js'
import { AWS_TIMEOUT_MS, type Context } from '../context.js'
import { AwsQueryError } from '../aws-query.js'
import type { Check } from '../check.js'
import { fault, ok, warning, type Finding } from '../report.js'

/** Where the SDK has found credentials, by the beginning of the name that it gives the source; the first counts. */
const SOURCES: ReadonlyArray<[prefix: string, text: string]> = [
  ['CREDENTIALS_STS_ASSUME_ROLE_WEB_ID', 'a web identity (the role of a pod)'],
  ['CREDENTIALS_STS', 'a role that is assumed'],
  ['CREDENTIALS_SSO', 'IAM Identity Center'],
  ['CREDENTIALS_PROCESS', 'a command (credential_process)'],
  ['CREDENTIALS_ENV', 'the environment'],
  ['CREDENTIALS_HTTP', 'the container (ECS, EKS Pod Identity)'],
  ['CREDENTIALS_IMDS', 'the role of the instance'],
  ['CREDENTIALS_PROFILE', 'the shared files'],
  ['CREDENTIALS_LOGIN', 'aws login']
]
const FIND_MEND = 'Give the machine, the container or the pod a role, or set AWS_ACCESS_KEY_ID and ' +
  'AWS_SECRET_ACCESS_KEY.'
const REFUSED_MEND = 'Replace the credentials: AWS does not take them.'
const IDENTITY = 'identity'
/** AWS's names of credentials that it does not take, rather than of a missing permission. */
export const REFUSED_CREDENTIALS =
  /ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|Signature|MissingAuthenticationToken/

function describeSource (source: Record<string, string> = {}): string {
  const names = Object.keys(source)
  const known = SOURCES.find(([prefix]) => names.some(name => name.startsWith(prefix)))
  return known?.[1] ?? 'a source that the SDK does not name'
}

async function find ({ aws, config }: Context): Promise<{ finding: Finding, found: boolean }> {
  try {
    const credentials = await answerWithin(AWS_TIMEOUT_MS, aws.cloudwatch.config.credentials())
    const { expiration } = credentials
    const source = describeSource((credentials as { $source?: Record<string, string> }).$source)
    const end = expiration === undefined ? '' : `, valid until ${expiration.toISOString()}`
    return { finding: ok('credentials', `found in ${source}${end}`), found: true }
  } catch (error) {
    const text = `none were found: ${classifyFailure(error).message}`
    const finding = config.FORWARDER === 'off'
      ? warning('credentials', `${text}; this process delivers nothing (FORWARDER=off)`, FIND_MEND)
      : fault('credentials', text, FIND_MEND)
    return { finding, found: false }
  }
}

async function identify ({ aws }: Context): Promise<Finding> {
  try {
    const { account, arn } = await aws.caller()
    const finding = `account ${account}, ${arn}`
    return arn.endsWith(':root')
      ? warning(IDENTITY, `${finding}, whose rights nothing limits`, 'Use a role with the rights of iam-policy alone.')
      : ok(IDENTITY, finding)
  } catch (error) {
    const { message, cause } = error as Error
    const code = error instanceof AwsQueryError ? error.code : null
    if (code !== null && REFUSED_CREDENTIALS.test(code)) {
      // A signature that is refused for its time alone is not one of wrong credentials.
      const isOfWrongTime = classifyFailure({ name: code, message }).class === 'unavailable'
      const finding = `AWS refuses the credentials: ${code}: ${message}`
      return fault(IDENTITY, finding, isOfWrongTime ? 'Set the clock.' : REFUSED_MEND)
    }
    const reason = cause instanceof Error ? classifyFailure(cause).message : message
    return warning(
      IDENTITY, `unknown, as STS could not be asked: ${reason}`,
      'Nothing, if no way leads to STS from here: the gateway does not need it.'
    )
  }
}

/** Where credentials are found, and whose they are: GetCallerIdentity of STS, which needs no permission. */
export const credentials: Check = {
  name: 'credentials',
  async run (context) {
    const { finding, found } = await find(context)
    return found ? [finding, await identify(context)] : [finding]
  }
}
