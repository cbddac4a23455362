import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { partitionOf } from '../aws-partitions.js'

/** Whose the credentials are. */
export interface Caller {
  account: string
  arn: string
}

/** An error answer of STS or IAM. */
export class AwsQueryError extends Error {
  /** @param code AWS's name of the error; null when something else has answered */
  constructor (readonly code: string | null, message: string) {
    super(message)
  }
}

interface Api {
  service: 'sts' | 'iam'
  version: string
  /** The variable of another endpoint, before AWS_ENDPOINT_URL. */
  endpointVariable: string
}

const STS: Api = { service: 'sts', version: '2011-06-15', endpointVariable: 'AWS_ENDPOINT_URL_STS' }
const IAM: Api = { service: 'iam', version: '2010-05-08', endpointVariable: 'AWS_ENDPOINT_URL_IAM' }

/** The characters that XML writes as entities. */
const CHARACTERS: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", '#39': "'" }
const ENTITY = /&(lt|gt|amp|quot|apos|#39);/g
const FORM = 'application/x-www-form-urlencoded'
const SESSION_ARN = /^arn:([^:]+):sts::(\d+):assumed-role\/([^/]+)\//

/** The role behind a session of it, as policies belong to the role; of a role with a path the session does not tell. */
function policySourceOf ({ arn }: Caller): string {
  const [, partition, account, role] = SESSION_ARN.exec(arn) ?? []
  return role === undefined ? arn : `arn:${partition}:iam::${account}:role/${role}`
}

export interface AwsQueryOptions {
  /** Whose credentials and signer are used. */
  client: CloudWatchClient
  region: string
  environment: NodeJS.ProcessEnv
  timeoutMs: number
}

/**
 * Asks STS and IAM, of which the gateway itself needs nothing, so that it has no client of them; the signer is that of
 * the SDK.
 */
export class AwsQuery {
  readonly #options: AwsQueryOptions

  constructor (options: AwsQueryOptions) {
    this.#options = options
  }

  /** Needs no permission. @throws AwsQueryError, Error of the SDK or of the network */
  async getCallerIdentity (): Promise<Caller> {
    const answer = await this.#ask(STS, { Action: 'GetCallerIdentity' })
    const [arn, account] = [elementOf(answer, 'Arn'), elementOf(answer, 'Account')]
    if (arn === null || account === null) throw new AwsQueryError(null, 'the answer is not one of STS')
    return { arn, account }
  }

  /**
   * What the policies of the caller say to an action. Needs a permission of its own.
   * @throws AwsQueryError, Error of the SDK or of the network
   */
  async simulate (
    caller: Caller, action: string, resource: string, namespace?: string
  ): Promise<'allowed' | 'denied'> {
    const answer = await this.#ask(IAM, {
      Action: 'SimulatePrincipalPolicy',
      PolicySourceArn: policySourceOf(caller),
      'ActionNames.member.1': action,
      'ResourceArns.member.1': resource,
      ...(namespace === undefined
        ? {}
        : {
            'ContextEntries.member.1.ContextKeyName': 'cloudwatch:namespace',
            'ContextEntries.member.1.ContextKeyType': 'string',
            'ContextEntries.member.1.ContextKeyValues.member.1': namespace
          })
    })
    const decision = elementOf(answer, 'EvalDecision')
    if (decision === null) throw new AwsQueryError(null, 'the answer is not one of IAM')
    return decision === 'allowed' ? 'allowed' : 'denied'
  }

  async #ask (api: Api, parameters: Record<string, string>): Promise<string> {
    const { client, timeoutMs } = this.#options
    const { url, region } = this.#endpointOf(api)
    const body = new URLSearchParams({ ...parameters, Version: api.version }).toString()
    const signer = await client.config.signer()
    const { headers } = await signer.sign({
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname,
      ...(url.port === '' ? {} : { port: Number(url.port) }),
      path: url.pathname,
      query: {},
      headers: { host: url.host, 'content-type': FORM },
      body
    }, { signingService: api.service, signingRegion: region })
    // fetch sets the same Host by itself.
    const { host: _host, ...sent } = headers
    const response = await fetch(url, {
      method: 'POST', headers: sent, body, redirect: 'error', signal: AbortSignal.timeout(timeoutMs)
    })
    const answer = await response.text()
    if (!response.ok) {
      const message = elementOf(answer, 'Message') ?? `HTTP ${response.status}`
      throw new AwsQueryError(elementOf(answer, 'Code'), message)
    }
    return answer
  }

  #endpointOf ({ service, endpointVariable }: Api): { url: URL, region: string } {
    const { environment, region } = this.#options
    const { dnsSuffix, iam } = partitionOf(region)
    const configured = environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === 'true'
      ? undefined
      : environment[endpointVariable] || environment.AWS_ENDPOINT_URL || undefined
    const own = service === 'iam'
      ? { host: iam.host, region: iam.region }
      : { host: `sts.${region}.${dnsSuffix}`, region }
    return { url: new URL(configured ?? `https://${own.host}/`), region: own.region }
  }
}

/** The text of the first element of this name, in an answer of AWS, which has neither CDATA nor comments. */
function elementOf (xml: string, name: string): string | null {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  return text?.replaceAll(ENTITY, (_entity, entity: string) => CHARACTERS[entity]!) ?? null
}
