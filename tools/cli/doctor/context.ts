import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { awsClientOptions } from '../../../lib/delivery/aws-client-options.js'
import { findEndpoints, type Target } from '../../../lib/delivery/aws-endpoint.js'
import { answerWithin } from '../../../lib/redis/ask.js'
import type { Configuration } from '../read-configuration.js'
import { AwsQuery, type Caller } from './aws-query.js'

/** Milliseconds for one answer of AWS. */
export const AWS_TIMEOUT_MS = 4_000

export interface AwsClients {
  cloudwatch: CloudWatchClient
  logs: CloudWatchLogsClient
}

/** The destinations to try permissions with, in place of those of the applications. */
export interface Destinations {
  namespaces: string[]
  logGroups: string[]
}

/** What the checks share. */
export interface Context extends Configuration {
  environment: NodeJS.ProcessEnv
  aws: AwsClients & {
    query: AwsQuery
    /** The endpoints as the SDK finds them, which needs no credentials. @throws Error of the SDK */
    endpoints: () => Promise<{ cloudwatch: Target, logs: Target }>
    /** Whose the credentials are. @throws Error of the SDK, or of STS */
    caller: () => Promise<Caller>
  }
  /** Empty lists: those of the applications. */
  named: Destinations
  /** The gateway. */
  url: string
  close (): void
}

/** Stands in where the SDK asks for credentials before it knows the endpoint; nothing is signed with it. */
const NO_CREDENTIALS = { accessKeyId: 'unused', secretAccessKey: 'unused' }

function openClients (region: string, credentials?: typeof NO_CREDENTIALS): AwsClients {
  const options = {
    ...awsClientOptions({ region, requestTimeoutMs: AWS_TIMEOUT_MS }),
    ...(credentials === undefined ? {} : { credentials })
  }
  return { cloudwatch: new CloudWatchClient(options), logs: new CloudWatchLogsClient(options) }
}

/** Asks once, whoever needs the answer. */
function once<T> (ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null
  return () => {
    answer ??= ask()
    return answer
  }
}

export function openContext (configuration: Configuration, { environment, named, url }: {
  environment: NodeJS.ProcessEnv, named: Destinations, url: string
}): Context {
  const { AWS_REGION: region } = configuration.config
  const clients = openClients(region)
  const unsigned = openClients(region, NO_CREDENTIALS)
  const query = new AwsQuery({ client: clients.cloudwatch, region, environment, timeoutMs: AWS_TIMEOUT_MS })
  return {
    ...configuration,
    environment,
    named,
    url,
    aws: {
      ...clients,
      query,
      endpoints: once(() => findEndpoints(unsigned)),
      caller: once(async () => {
        await answerWithin(AWS_TIMEOUT_MS, clients.cloudwatch.config.credentials())
        return await query.getCallerIdentity()
      })
    },
    close () {
      for (const client of [...Object.values(clients), ...Object.values(unsigned)]) client.destroy()
    }
  }
}
