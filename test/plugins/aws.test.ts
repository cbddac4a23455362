import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, PutRetentionPolicyCommand } from '@aws-sdk/client-cloudwatch-logs'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t, { type Test } from 'tap'
import aws from '../../plugins/aws.js'
import type { Config } from '../../schemas/config.js'
import { eventually } from '../helpers/app.js'

const config = fp(async fastify => {
  fastify.decorate('config', { AWS_REGION: 'eu-west-1', AWS_REQUEST_TIMEOUT_MS: 300 } as Config)
}, { name: 'config' })

/** An AWS that gives every call the same answer, or none, and keeps connections open. */
async function listen (t: Test, status: number | null): Promise<Server & { calls: number }> {
  const server = Object.assign(createServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
    server.calls++
    if (status !== null) response.writeHead(status).end('{}')
  }), { calls: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test'
  })
  return server
}

async function openApp (t: Test): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(config)
  await app.register(aws)
  t.teardown(() => app.close())
  return app
}

const metric = () => new PutMetricDataCommand({ Namespace: 'App', MetricData: [{ MetricName: 'Load', Value: 1 }] })
const retention = () => new PutRetentionPolicyCommand({ logGroupName: '/app', retentionInDays: 7 })

t.test('holds a client of each API, in the Region of the configuration', async t => {
  const { aws } = await openApp(t)
  t.ok(aws.cloudwatch instanceof CloudWatchClient)
  t.ok(aws.logs instanceof CloudWatchLogsClient)
  for (const { config } of Object.values(aws)) t.equal(await config.region(), 'eu-west-1')
})

t.test('a call is made once, and given up after the time of the configuration', async t => {
  const failing = await listen(t, 503)
  const { aws } = await openApp(t)
  await t.rejects(aws.cloudwatch.send(metric()))
  await t.rejects(aws.logs.send(retention()))
  t.equal(failing.calls, 2)
  await listen(t, null)
  const { aws: { cloudwatch } } = await openApp(t)
  await t.rejects(cloudwatch.send(metric()), { name: 'TimeoutError' })
})

t.test('the connections of both clients end with the app', async t => {
  const server = await listen(t, 200)
  const app = await openApp(t)
  await app.aws.cloudwatch.send(metric())
  await app.aws.logs.send(retention())
  const connections = () =>
    new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => error === null ? resolve(count) : reject(error))
    })
  t.equal(await connections(), 2)
  await app.close()
  await eventually(async () => await connections() === 0 ? true : undefined)
})
