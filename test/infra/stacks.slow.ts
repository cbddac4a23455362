import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { startMotoProcess } from '../../tools/shared/processes.js'

t.setTimeout(120_000)

/** moto makes these and skips the others; HTTP APIs, which another template has, it does not make at all. */
const FILE = 'metering-rest-api.yaml'
const MADE = [
  'AWS::ApiGateway::Method', 'AWS::ApiGateway::Resource', 'AWS::ApiGateway::RestApi', 'AWS::IAM::Role',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function', 'AWS::Lambda::Permission', 'AWS::Logs::LogGroup', 'AWS::SQS::Queue'
]
const SECRET = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:platform'
const KMS_KEY = 'arn:aws:kms:us-east-1:123456789012:key/platform'
const PARAMETERS = { CodeBucket: 'code', BackendUrl: 'https://backend.example/base', PlatformApiKeySecretArn: SECRET }

const moto = await startMotoProcess()
t.teardown(() => moto.stop())

/** moto takes the service from the signature, which it does not check. */
async function call (service: string, path: string, init: RequestInit = {}): Promise<string> {
  const authorization =
    `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=none`
  const answer = await fetch(moto.url + path, { ...init, headers: { authorization, ...init.headers } })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${service} ${path}: ${answer.status} ${text}`)
  return text
}

async function query (service: string, version: string, parameters: Record<string, string>): Promise<string> {
  return await call(service, '/', { method: 'POST', body: new URLSearchParams({ Version: version, ...parameters }) })
}

async function ask (service: string, path: string): Promise<any> {
  return JSON.parse(await call(service, path))
}

interface Stack {
  /** Physical ids by logical id. */
  ids: Record<string, string>
  types: Set<string>
}

async function applyStack (
  action: 'CreateStack' | 'UpdateStack',
  name: string,
  file: string,
  parameters: Record<string, string>
): Promise<Stack> {
  const given = Object.entries(parameters).flatMap(([key, value], i) => [
    [`Parameters.member.${i + 1}.ParameterKey`, key], [`Parameters.member.${i + 1}.ParameterValue`, value]
  ])
  const TemplateBody = await readFile(join(ROOT, 'infra', file), 'utf8')
  await query('cloudformation', '2010-05-15', {
    Action: action,
    StackName: name,
    TemplateBody,
    'Capabilities.member.1': 'CAPABILITY_IAM',
    ...Object.fromEntries(given)
  })
  const status = await query('cloudformation', '2010-05-15', { Action: 'DescribeStacks', StackName: name })
  if (!/<StackStatus>(CREATE|UPDATE)_COMPLETE<\/StackStatus>/.test(status)) throw new Error(status)
  const resources = await query('cloudformation', '2010-05-15', { Action: 'DescribeStackResources', StackName: name })
  const stack: Stack = { ids: {}, types: new Set() }
  for (const [, member] of resources.matchAll(/<member>([\s\S]*?)<\/member>/g)) {
    const field = (name: string): string => new RegExp(`<${name}>(.*?)</${name}>`).exec(member!)?.[1] ?? ''
    stack.ids[field('LogicalResourceId')] = field('PhysicalResourceId')
    stack.types.add(field('ResourceType'))
  }
  return stack
}

async function functionOf ({ ids }: Stack, name: 'Metering' | 'Authorizer'): Promise<any> {
  return await ask('lambda', `/2015-03-31/functions/${ids[`${name}Function`]}/configuration`)
}

async function statementsOf ({ ids }: Stack, name: 'Metering' | 'Authorizer'): Promise<any[]> {
  const answer = await query('iam', '2010-05-08', {
    Action: 'GetRolePolicy', RoleName: ids[`${name}Role`]!, PolicyName: name.toLowerCase()
  })
  const text = /<PolicyDocument>([\s\S]*?)<\/PolicyDocument>/.exec(answer)![1]!
  // moto writes the document of a stack as Python does, with a None in place of a statement whose condition does not
  // hold.
  const json = decodeURIComponent(text).replaceAll(/'|&#39;|&apos;|&quot;/g, '"').replaceAll('None', 'null')
  return JSON.parse(json).Statement.filter((statement: unknown) => statement !== null)
}

async function attributesOf (queueUrl: string): Promise<Record<string, string>> {
  const body = JSON.stringify({ QueueUrl: queueUrl, AttributeNames: ['All'] })
  const answer = await call('sqs', '/', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.GetQueueAttributes' }
  })
  return JSON.parse(answer).Attributes
}

t.before(async () => {
  await call('s3', '/code', { method: 'PUT' })
  const zip = Buffer.from(zipSync({ 'index.mjs': Buffer.from('export const handler = async () => {}') }))
  for (const name of ['metering', 'authorizer']) {
    await call('s3', `/code/cloudwatch-postman/${name}.zip`, { method: 'PUT', body: new Uint8Array(zip) })
  }
})

t.test('rest: a stack is made, and its parts know each other', async t => {
  const stack = await applyStack('CreateStack', 'rest-made', FILE, PARAMETERS)
  for (const type of MADE) t.ok(stack.types.has(type), type)
  const { ids } = stack
  const [parking, deadLetters] = [await attributesOf(ids.ParkingQueue!), await attributesOf(ids.DeadLetterQueue!)]
  t.match(JSON.parse(parking.RedrivePolicy!), { deadLetterTargetArn: deadLetters.QueueArn, maxReceiveCount: 20 })

  const metering = await functionOf(stack, 'Metering')
  t.strictSame(metering.Environment.Variables, {
    METERING_PROFILE: 'v1-meter',
    REVENIUM_PLATFORM_API_KEY_SECRET: SECRET,
    PARKING_QUEUE_URL: ids.ParkingQueue,
    DEAD_LETTER_QUEUE_URL: ids.DeadLetterQueue
  })
  t.match(metering, { Runtime: 'nodejs24.x', Handler: 'index.handler', Timeout: 60 })
  const authorizer = await functionOf(stack, 'Authorizer')
  t.strictSame(authorizer.Environment.Variables, {
    REVENIUM_PLATFORM_API_KEY_SECRET: SECRET, CLIENT_ID_HEADER: 'clientId', FAIL_MODE: 'closed'
  })

  const [logs, secret, send, receive, ...others] = await statementsOf(stack, 'Metering')
  t.match(logs.Resource, new RegExp(`:log-group:${ids.MeteringLogGroup}`))
  t.strictSame([secret.Resource, send.Resource, receive.Resource], [
    SECRET,
    [parking.QueueArn, deadLetters.QueueArn],
    parking.QueueArn
  ])
  t.strictSame(others, [])
  t.strictSame((await statementsOf(stack, 'Authorizer')).map(({ Action }) => Action).flat(), [
    'logs:CreateLogStream', 'logs:PutLogEvents', 'secretsmanager:GetSecretValue'
  ])

  const { EventSourceMappings } = await ask(
    'lambda', `/2015-03-31/event-source-mappings/?FunctionName=${ids.MeteringFunction}`
  )
  t.match(EventSourceMappings, [{ EventSourceArn: parking.QueueArn, FunctionArn: metering.FunctionArn, BatchSize: 5 }])
  const { Policy } = await ask('lambda', `/2015-03-31/functions/${ids.MeteringFunction}/policy`)
  t.match(Policy, 'logs.amazonaws.com')
  t.match(Policy, ids.AccessLogGroup)
})

t.test('rest: what is given as a parameter reaches functions and roles', async t => {
  const stack = await applyStack('CreateStack', 'rest-given', FILE, {
    ...PARAMETERS,
    MeteringProfile: 'v2',
    PlatformApi: 'https://platform.example/meter',
    EntitlementApi: 'https://entitlement.example',
    SecretKmsKeyArn: KMS_KEY,
    FailMode: 'open'
  })
  t.match((await functionOf(stack, 'Metering')).Environment.Variables, {
    METERING_PROFILE: 'v2', REVENIUM_PLATFORM_API: 'https://platform.example/meter'
  })
  t.match((await functionOf(stack, 'Authorizer')).Environment.Variables, {
    FAIL_MODE: 'open', REVENIUM_PLATFORM_API: 'https://entitlement.example'
  })
  for (const role of ['Metering', 'Authorizer'] as const) {
    t.match(
      (await statementsOf(stack, role)).find(({ Action }) => Action === 'kms:Decrypt'),
      { Effect: 'Allow', Resource: KMS_KEY },
      role
    )
  }
})

/* eslint-disable no-template-curly-in-string */
t.test('rest: the methods call BackendUrl by its protocol and by the variable of the stage', async t => {
  const urisOf = async ({ ids }: Stack): Promise<string[]> => {
    const { item } = await ask('apigateway', `/restapis/${ids.Api}/resources?embed=methods`)
    return item.flatMap(
      ({ resourceMethods }: any) =>
        Object.values(resourceMethods ?? {}).map((method: any) => method.methodIntegration.uri)
    ).sort()
  }
  const secure = await applyStack('CreateStack', 'rest-secure', FILE, PARAMETERS)
  t.strictSame(await urisOf(secure), ['https://${stageVariables.backend}', 'https://${stageVariables.backend}/{proxy}'])
  const plain = await applyStack('CreateStack', 'rest-plain', FILE, {
    ...PARAMETERS, BackendUrl: 'http://backend.example'
  })
  t.strictSame(await urisOf(plain), ['http://${stageVariables.backend}', 'http://${stageVariables.backend}/{proxy}'])
})
