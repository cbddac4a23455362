import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { bundleFunctions, type Bundle, type FunctionName } from '../../tools/build/lambda/bundle.js'
import { measureColdStart } from '../../tools/build/lambda/cold-start.js'
import { licencesOf } from '../../tools/build/lambda/licences.js'
import type { PlatformSandbox } from '../../tools/sandbox/platform/platform-sandbox.js'
import { startPlatform } from '../../tools/sandbox/platform/platform-server.js'
import { awsEnvironment, startAwsFakes, type AwsFakes } from '../helpers/aws-fakes.js'
import { startFunction } from '../helpers/lambda-process.js'
import { recordedEvent } from '../helpers/lambda.js'
import { accessLogLine, accessLogLines, subscriptionEvent } from '../helpers/metering.js'
import type { Teardown } from '../helpers/teardown.js'

/** Kilobytes by which a zip may differ from the size that is documented. */
const TOLERANCE_KB = 5
const SECRET = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:platform'

let bundles: Bundle[]
const zipOf = (name: FunctionName): string => bundles.find(bundle => bundle.name === name)!.zip

t.before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bundles-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  bundles = await bundleFunctions(folder)
})

async function openWorld (
  t: Teardown
): Promise<{ platform: PlatformSandbox, aws: AwsFakes, env: Record<string, string> }> {
  const [platform, aws] = await Promise.all([startPlatform(), startAwsFakes(t)])
  t.teardown(() => platform.close())
  aws.secrets[SECRET] = 'hak_sandbox'
  const env = {
    ...awsEnvironment(aws),
    REVENIUM_PLATFORM_API: platform.urls['v1-meter'],
    REVENIUM_PLATFORM_API_KEY_SECRET: SECRET,
    PARKING_QUEUE_URL: `${aws.url}/000000000000/parking`,
    DEAD_LETTER_QUEUE_URL: `${aws.url}/000000000000/dead-letters`
  }
  return { platform, aws, env }
}

t.test('the zips have the size that docs/metering.md states, and the same source makes the same zip', async t => {
  const page = await readFile(join(ROOT, 'docs/metering.md'), 'utf8')
  const [, metering, authorizer] = /The zips have (\d+) kB and (\d+) kB/.exec(page)!
  const stated: Record<FunctionName, number> = { metering: Number(metering), authorizer: Number(authorizer) }
  for (const { name, zipBytes } of bundles) {
    t.ok(Math.abs(zipBytes / 1_000 - stated[name]) <= TOLERANCE_KB, `${name}: ${zipBytes} bytes, ${stated[name]} kB stated`)
  }
  const again = await mkdtemp(join(tmpdir(), 'bundles-'))
  t.teardown(() => rm(again, { recursive: true, force: true }))
  for (const { name, zip } of await bundleFunctions(again)) {
    t.ok((await readFile(zip)).equals(await readFile(zipOf(name))), name)
  }
})

t.test('the licences of what is in the zips are named, each text once', async t => {
  const text = await licencesOf(bundles.flatMap(({ modules }) => modules))
  for (const name of ['@aws-sdk/client-sqs', '@aws-sdk/client-secrets-manager', '@smithy/core']) {
    t.match(text, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(Apache-2\\.0\\)$`, 'm'))
  }
  t.match(text, /Apache License/)
  const parts = text.split(/^-{80}$/m).slice(1).map(part => part.trim().split('\n\n').slice(1).join('\n\n'))
  t.equal(new Set(parts).size, parts.length)
})

t.test('the Node that LAMBDA_NODE names is that of the runtime of the templates', async t => {
  const { LAMBDA_NODE } = process.env
  if (LAMBDA_NODE === undefined) {
    return t.comment(`SKIPPED: LAMBDA_NODE is not set, the functions run on ${process.version}`)
  }
  const { stdout } = await promisify(execFile)(LAMBDA_NODE, ['--version'])
  for (const file of ['http-api', 'rest-api', 'sam']) {
    const template = await readFile(join(ROOT, `infra/metering-${file}.yaml`), 'utf8')
    for (const [, major] of template.matchAll(/Runtime: nodejs(\d+)\.x/g)) t.match(stdout, `v${major}.`, file)
  }
})

t.test('a cold start is quick', async t => {
  for (const { zip } of bundles) {
    const { loadMs, totalMs } = await measureColdStart(zip, { node: process.env.LAMBDA_NODE, rounds: 3 })
    t.ok(loadMs > 0 && loadMs < totalMs)
    t.ok(loadMs < 2_000, `${loadMs} ms`)
  }
})

t.test('the metering function meters, parks, and keeps dead letters', async t => {
  const { platform, aws, env } = await openWorld(t)
  const lambda = await startFunction(t, zipOf('metering'), env)
  t.match(await lambda.invoke(subscriptionEvent(accessLogLines(20))), { result: { received: 20, metered: 20 } })
  t.equal(platform.ledger().metered, 20)

  platform.faults.set([
    { kind: 'answer', status: 409, application: 'later' }, { kind: 'answer', status: 422, application: 'never' }
  ])
  const event = subscriptionEvent([
    accessLogLine({ extendedRequestId: 'L', clientId: 'later' }),
    accessLogLine({ extendedRequestId: 'N', clientId: 'never' }),
    'no JSON'
  ])
  aws.fail('SendMessageBatch', 'partly', 1)
  t.match(await lambda.invoke(event), { result: { parked: 1, refused: 1, unreadable: 1 } })
  const sent = aws.sent.map(
    ({ queueUrl, body, delaySeconds }) => [queueUrl.split('/').pop(), body.reason ?? 'parked', delaySeconds]
  ).sort()
  t.strictSame(sent, [['dead-letters', 'refused', 0], ['dead-letters', 'unreadable', 0], ['parking', 'parked', 60]])

  platform.faults.clear()
  const parked = aws.sent.find(({ queueUrl }) => queueUrl.endsWith('parking'))!
  t.strictSame(await lambda.invoke({ Records: [{ messageId: 'm', body: JSON.stringify(parked.body) }] }), {
    result: { batchItemFailures: [] }
  })
  t.equal(platform.ledger().metered, 21)
  t.equal(aws.calls.GetSecretValue, 1, 'the key is read once')
  const metrics = lambda.log().split('\n').filter(line => line.includes('_aws')).map(line => JSON.parse(line))
  t.match(metrics[0], { Metered: 20, FunctionName: 'function' })
  t.notMatch(lambda.log(), /hak_sandbox/)
})

t.test('queues that do not take it make the invocation fail, and Lambda try again', async t => {
  const { platform, aws, env } = await openWorld(t)
  const lambda = await startFunction(t, zipOf('metering'), env)
  platform.faults.set([{ kind: 'answer', status: 409 }])
  aws.fail('SendMessageBatch', 400, 10)
  t.match(await lambda.invoke(subscriptionEvent(accessLogLines(2))), { errorType: String, errorMessage: String })
})

t.test('a secret that cannot be read parks what came, as would a wrong one', async t => {
  const { aws, env } = await openWorld(t)
  aws.fail('GetSecretValue', 400, 100)
  const lambda = await startFunction(t, zipOf('metering'), env)
  t.match(await lambda.invoke(subscriptionEvent(accessLogLines(1))), { result: { metered: 0, parked: 1 } })
})

t.test('the authorizer answers all four kinds of events', async t => {
  const { platform, aws, env } = await openWorld(t)
  aws.secrets[SECRET] = '{"apiKey":"hak_sandbox"}'
  platform.setClients({ acme: 'entitled' })
  const lambda = await startFunction(t, zipOf('authorizer'), env)
  for (const name of ['rest-token', 'rest-request', 'http-1.0', 'http-2.0']) {
    t.match(await lambda.invoke(await recordedEvent(name)), {
      result: {
        principalId: 'acme',
        policyDocument: { Statement: [{ Effect: 'Allow' }] },
        context: { clientId: 'acme', entitlement: 'entitled' }
      }
    }, name)
  }
  t.equal(platform.ledger().asked.acme, 1, 'and remembers the verdict')
  t.match(await lambda.invoke({ ...await recordedEvent('http-2.0'), headers: { clientid: 'nobody' } }), {
    result: { policyDocument: { Statement: [{ Effect: 'Deny' }] } }
  })
  platform.faults.set([{ kind: 'answer', status: 503 }])
  t.match(await lambda.invoke({ ...await recordedEvent('http-2.0'), headers: { clientid: 'stranger' } }), {
    errorType: 'EntitlementUnknownError'
  })
})

t.test('a wrong key is told to the operator', async t => {
  const { platform, aws, env } = await openWorld(t)
  platform.setClients({ acme: 'entitled' })
  aws.secrets[SECRET] = 'old'
  const lambda = await startFunction(t, zipOf('authorizer'), { ...env, VERDICT_TTL_SECONDS: '0', STALE_SECONDS: '0' })
  t.match(await lambda.invoke(await recordedEvent('http-2.0')), { errorType: 'EntitlementUnknownError' })
  t.match(lambda.log(), /check its key and its address/)
})

t.test('a wrong setting is named', async t => {
  const { env } = await openWorld(t)
  const wrong: Array<[FunctionName, Record<string, string>, RegExp]> = [
    ['metering', { PARKING_QUEUE_URL: '' }, /PARKING_QUEUE_URL must be the URL of the queue/],
    ['metering', { REVENIUM_PLATFORM_API_KEY_SECRET: ' ' }, /REVENIUM_PLATFORM_API_KEY_SECRET must be the ARN/],
    ['metering', { METERING_PROFILE: 'v3' }, /METERING_PROFILE must be one of v1-meter, v1-event, v2/],
    ['metering', { METERING_CONCURRENCY: '0' }, /METERING_CONCURRENCY must be a whole number from 1 to 256/],
    ['metering', { REVENIUM_PLATFORM_API: 'example' }, /must be like https/],
    ['authorizer', { FAIL_MODE: 'ajar' }, /FAIL_MODE must be one of closed, open/]
  ]
  for (const [name, settings, message] of wrong) {
    const lambda = await startFunction(t, zipOf(name), { ...env, ...settings })
    t.match(await lambda.invoke({}), { errorMessage: message })
  }
})
