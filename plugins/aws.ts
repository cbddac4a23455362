import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { awsClientOptions } from '../lib/delivery/aws-client-options.js'

declare module 'fastify' {
  interface FastifyInstance { aws: { cloudwatch: CloudWatchClient, logs: CloudWatchLogsClient } }
}

/** Owns `fastify.aws`: the clients of both APIs of CloudWatch, which all code of this thread shares. */
async function aws (fastify: FastifyInstance): Promise<void> {
  const { AWS_REGION, AWS_REQUEST_TIMEOUT_MS } = fastify.config
  const options = awsClientOptions({ region: AWS_REGION, requestTimeoutMs: AWS_REQUEST_TIMEOUT_MS })
  const cloudwatch = new CloudWatchClient(options)
  const logs = new CloudWatchLogsClient(options)
  fastify.decorate('aws', { cloudwatch, logs })
  fastify.addHook('onClose', async () => {
    cloudwatch.destroy()
    logs.destroy()
  })
}

export default fp(aws, { name: 'aws', dependencies: ['config'] })
