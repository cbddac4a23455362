import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { parse, type ScalarTag } from 'yaml'
import { ACCESS_LOG_KEYS } from '../../lib/metering/access-log.js'
import { createCallFilter } from '../../lib/metering/call-filter.js'
import { readCalls } from '../../lib/metering/read-calls.js'
import { authorizerMetricLine, metricLine, zeroCalls } from '../../lambda/function-log.js'
import { METERING_PROFILES } from '../../schemas/metering-settings.js'
import { FUNCTIONS } from '../../tools/build/lambda/bundle.js'

const FOLDER = join(ROOT, 'infra')
const MAX_FORMAT_BYTES = 3_072

/** The short forms of CloudFormation's functions, as objects. */
const TAGS = ['Ref', 'Sub', 'GetAtt', 'If', 'Not', 'Equals', 'And', 'Condition', 'Select', 'Split'].flatMap(name => [
  { tag: `!${name}`, resolve: (value: string) => ({ [name]: value }) } satisfies ScalarTag,
  {
    tag: `!${name}`,
    collection: 'seq' as const,
    resolve: (value: { toJSON (): unknown }) => ({ [name]: value.toJSON() })
  }
])

interface Resource {
  Type: string
  Properties: any
  DependsOn?: string | string[]
  DeletionPolicy?: string
  Condition?: string
}

interface Template {
  Globals?: any
  Conditions: Record<string, any>
  Parameters: Record<string, any>
  Resources: Record<string, Resource>
}

const FILES = { http: 'metering-http-api.yaml', rest: 'metering-rest-api.yaml', sam: 'metering-sam.yaml' }
type Name = keyof typeof FILES
const NAMES = Object.keys(FILES) as Name[]

const templates = Object.fromEntries(await Promise.all(NAMES.map(async name =>
  [
    name,
    parse(await readFile(join(FOLDER, FILES[name]), 'utf8'), { customTags: TAGS as never, schema: 'core' }) as Template
  ]))) as Record<Name, Template>

async function read (name: Name): Promise<Template> {
  return templates[name]
}

const ofType = ({ Resources }: Template, type: string): Resource[] =>
  Object.values(Resources).filter(resource => resource.Type === type)
const accessLogOf = ({ Resources }: Template): { Format: string, DestinationArn: any } => {
  const { AccessLogSettings, AccessLogSetting } = (Resources.Stage ?? Resources.Api!).Properties
  return AccessLogSettings ?? AccessLogSetting
}
const formatOf = (template: Template): string => accessLogOf(template).Format

for (const name of NAMES) {
  t.test(`${name}: the log format is one line of JSON with everything that is read from it`, async t => {
    const format = formatOf(await read(name))
    t.notMatch(format, /[\n\r]/)
    t.ok(Buffer.byteLength(format) < MAX_FORMAT_BYTES, `${Buffer.byteLength(format)} bytes`)
    const fields = JSON.parse(format) as Record<string, string>
    for (const [key, value] of Object.entries(fields)) t.match(value, /^\$context\.[A-Za-z]+(\.[A-Za-z]+)?$/, key)
    for (const key of ACCESS_LOG_KEYS) t.ok(key in fields, `${key} is read, and so has to be written`)
    t.equal(new Set(Object.values(fields)).size, Object.keys(fields).length)
    t.match(fields, {
      extendedRequestId: '$context.extendedRequestId',
      clientId: '$context.authorizer.clientId',
      principalId: '$context.authorizer.principalId',
      sourceIp: '$context.identity.sourceIp',
      userAgent: '$context.identity.userAgent'
    })
  })

  t.test(`${name}: what the caller writes comes after what AWS writes`, async t => {
    const keys = Object.keys(JSON.parse(formatOf(await read(name))))
    t.strictSame(keys.slice(-2), ['path', 'userAgent'])
    t.strictSame(keys.filter(key => (ACCESS_LOG_KEYS as readonly string[]).includes(key)), [...ACCESS_LOG_KEYS])
  })

  t.test(`${name}: a line in this format is metered`, async t => {
    const values: Record<string, string> = {
      status: '200',
      responseLength: '12',
      integrationLatency: '31',
      responseLatency: '38',
      requestTimeEpoch: '1763812800000'
    }
    const line = formatOf(await read(name)).replaceAll(/\$context\.([A-Za-z.]+)/g, (_, variable: string) =>
      values[variable] ?? variable)
    const { calls } = readCalls([{ text: line, origin: { key: 'k', timestamp: 0 } }], createCallFilter())
    t.match(calls, [{
      application: 'authorizer.clientId',
      method: 'httpMethod',
      url: 'path',
      responseCode: 200,
      remoteHost: 'identity.sourceIp',
      backendLatency: 31,
      gatewayLatency: 7,
      responseMessageSize: 12,
      timestamp: 1763812800000,
      correlationId: 'extendedRequestId'
    }])
  })

  t.test(`${name}: everything that is named is there`, async t => {
    const template = await read(name)
    const known = new Set([...Object.keys(template.Resources), ...Object.keys(template.Parameters)])
    const text = JSON.stringify(template)
    for (const [, found] of text.matchAll(/"(?:Condition|If)":\[?"([A-Za-z]+)"/g)) {
      t.ok(found! in template.Conditions, found)
    }
    const names = [
      ...text.matchAll(/"(?:Ref|GetAtt)":"([A-Za-z]+)/g), ...text.matchAll(/\$\{(?!stageVariables\.)([A-Za-z]+)[.}]/g)
    ].map(match => match[1]!)
    t.ok(names.length > 40)
    for (const found of new Set(names)) t.ok(known.has(found) || text.includes(`AWS::${found.slice(3)}`), found)
  })

  t.test(`${name}: each role may do what it has to, to what is its own`, async t => {
    const { Resources } = await read(name)
    const statements = (role: string): any[] =>
      Resources[role]!.Properties.Policies.flatMap((policy: any) => policy.PolicyDocument.Statement).map(
        (statement: any) => statement.If?.[1] ?? statement
      )
    const actions = (role: string): string[] => statements(role).flatMap(({ Action }) => Action).sort()
    t.strictSame(actions('MeteringRole'), [
      'kms:Decrypt', 'logs:CreateLogStream', 'logs:PutLogEvents', 'secretsmanager:GetSecretValue', 'sqs:DeleteMessage',
      'sqs:GetQueueAttributes', 'sqs:ReceiveMessage', 'sqs:SendMessage'
    ])
    t.strictSame(actions('AuthorizerRole'), [
      'kms:Decrypt', 'logs:CreateLogStream', 'logs:PutLogEvents', 'secretsmanager:GetSecretValue'
    ])
    for (const role of ['MeteringRole', 'AuthorizerRole']) {
      t.notOk('ManagedPolicyArns' in Resources[role]!.Properties)
      for (const { Effect, Resource } of statements(role)) {
        t.equal(Effect, 'Allow')
        t.notMatch(JSON.stringify(Resource), /"\*"/)
      }
    }
  })

  t.test(`${name}: each function has its zip, a runtime that lives, its settings and a log of its own`, async t => {
    const { Globals, Resources } = await read(name)
    for (const fn of FUNCTIONS) {
      const prefix = fn === 'metering' ? 'Metering' : 'Authorizer'
      const Properties = { ...Globals?.Function, ...Resources[`${prefix}Function`]!.Properties }
      const code = name === 'sam'
        ? { CodeUri: `../dist/lambda/${fn}.zip` }
        : { Code: { S3Key: { Sub: `\${CodePrefix}${fn}.zip` } } }
      t.match(Properties, {
        Handler: 'index.handler',
        Runtime: 'nodejs24.x',
        ...code,
        Role: { GetAtt: `${prefix}Role.Arn` },
        LoggingConfig: { LogGroup: { Ref: `${prefix}LogGroup` } }
      })
      t.ok(Resources[`${prefix}LogGroup`]!.Properties.RetentionInDays)
      const source = await Promise.all(
        [`${fn}.ts`, 'api-key.ts', 'metering-client.ts'].map(file => readFile(join(FOLDER, '../lambda', file), 'utf8'))
      )
      for (const variable of Object.keys(Properties.Environment.Variables)) {
        t.ok(source.join('').includes(`'${variable}'`), `${variable} is read`)
      }
      t.notOk('REVENIUM_PLATFORM_API_KEY' in Properties.Environment.Variables, 'the key itself is in no setting')
    }
    t.ok(Resources.AuthorizerFunction!.Properties.Timeout <= 10)
  })

  t.test(`${name}: the profile is a parameter, and an address that is not given is that of the profile`, async t => {
    const { Conditions, Parameters, Resources } = await read(name)
    t.strictSame([Parameters.MeteringProfile.Default, Parameters.MeteringProfile.AllowedValues], [
      'v1-meter', METERING_PROFILES
    ])
    const none = { Ref: 'AWS::NoValue' }
    for (const parameter of ['PlatformApi', 'EntitlementApi']) {
      t.equal(Parameters[parameter].Default, '')
      t.match('', new RegExp(Parameters[parameter].AllowedPattern))
      t.strictSame(Conditions[`Has${parameter}`], { Not: [{ Equals: [{ Ref: parameter }, ''] }] })
    }
    t.match(Resources.MeteringFunction!.Properties.Environment.Variables, {
      METERING_PROFILE: { Ref: 'MeteringProfile' },
      REVENIUM_PLATFORM_API: { If: ['HasPlatformApi', { Ref: 'PlatformApi' }, none] }
    })
    t.strictSame(Resources.AuthorizerFunction!.Properties.Environment.Variables.REVENIUM_PLATFORM_API, {
      If: ['HasEntitlementApi', { Ref: 'EntitlementApi' }, { If: ['AsksPlatformApi', { Ref: 'PlatformApi' }, none] }]
    })
    t.strictSame(Conditions.AsksPlatformApi, {
      And: [{ Condition: 'HasPlatformApi' }, { Equals: [{ Ref: 'MeteringProfile' }, 'v1-meter'] }]
    })
  })

  t.test(`${name}: a secret under a key of KMS can be read when that key is given`, async t => {
    const { Conditions, Resources } = await read(name)
    for (const role of ['MeteringRole', 'AuthorizerRole']) {
      t.has(Resources[role]!.Properties.Policies[0].PolicyDocument.Statement, [
        ...new Array(2).fill({}),
        {
          If: [
            'HasSecretKmsKey',
            { Action: 'kms:Decrypt', Resource: { Ref: 'SecretKmsKeyArn' } },
            { Ref: 'AWS::NoValue' }
          ]
        }
      ])
    }
    t.strictSame(Conditions.HasSecretKmsKey, { Not: [{ Equals: [{ Ref: 'SecretKmsKeyArn' }, ''] }] })
  })

  t.test(`${name}: everything that somebody has to mend has an alarm`, async t => {
    const template = await read(name)
    const alarms = ofType(template, 'AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
    for (const { AlarmActions, TreatMissingData } of alarms) {
      t.match([AlarmActions.If[0], TreatMissingData], ['HasAlarmTopic', 'notBreaching'])
    }
    const watched = alarms.filter(({ MetricName }) => MetricName !== undefined).map(
      ({ MetricName, Dimensions: [{ Value }] }) => `${MetricName} ${Value.Ref ?? Value.GetAtt}`
    )
    t.strictSame(watched.sort(), [
      'ApproximateAgeOfOldestMessage ParkingQueue.QueueName',
      'ApproximateNumberOfMessagesVisible DeadLetterQueue.QueueName', 'ConfigFaults AuthorizerFunction',
      'ConfigFaults MeteringFunction', 'Errors MeteringFunction', 'Lag MeteringFunction',
      'UnknownVerdicts AuthorizerFunction'
    ])
    const { SkippedShareAlarm, AuthorizerErrorAlarm } = template.Resources
    const [share, ...counts] = SkippedShareAlarm!.Properties.Metrics
    t.match(share.Expression, /skipped \/ received/)
    t.strictSame(counts.map(({ MetricStat }: any) => MetricStat.Metric.MetricName), ['Received', 'Skipped'])
    t.match(AuthorizerErrorAlarm!.Properties.Metrics, [
      { Expression: 'errors - FILL(ambiguous, 0)' },
      {},
      { MetricStat: { Metric: { MetricName: 'AmbiguousClients' } } }
    ])
    const reported = [
      metricLine(zeroCalls(), 'f', 0), authorizerMetricLine({ unknown: 0, configFaults: 0, ambiguous: 0 }, 'f', 0)
    ].join('')
    for (const [, metric] of JSON.stringify(alarms).matchAll(/"Namespace":"Metering","MetricName":"(\w+)"/g)) {
      t.match(reported, `"${metric}":0`)
    }
  })
}

t.test('rest: what BackendUrl says reaches a stage that is deployed already', async t => {
  const { Conditions, Resources } = await read('rest')
  for (const [method, path] of [['Method', '/{proxy}'], ['RootMethod', '']]) {
    t.strictSame(Resources[method!]!.Properties.Integration.Uri, {
      If: ['BackendIsSecure', `https://\${stageVariables.backend}${path}`, `http://\${stageVariables.backend}${path}`]
    })
  }
  const parts = { Split: ['://', { Ref: 'BackendUrl' }] }
  t.match(Resources.Stage!.Properties, {
    Variables: { backend: { Select: [1, parts] } },
    DeploymentId: { If: ['BackendIsSecure', { Ref: 'SecureDeployment' }, { Ref: 'PlainDeployment' }] }
  })
  t.match([Conditions.BackendIsSecure, Conditions.BackendIsPlain], [
    { Equals: [{ Select: [0, parts] }, 'https'] }, { Not: [{ Condition: 'BackendIsSecure' }] }
  ])
  for (const [deployment, Condition] of [
    ['SecureDeployment', 'BackendIsSecure'], ['PlainDeployment', 'BackendIsPlain']
  ]) {
    t.match(Resources[deployment!], { Condition, DependsOn: ['Method', 'RootMethod'] })
  }
})

for (const name of ['http', 'rest'] as const) {
  t.test(`${name}: verdicts are kept for 30 s by client id`, async t => {
    const { Properties } = (await read(name)).Resources.Authorizer!
    t.equal(Properties.AuthorizerResultTtlInSeconds, 30)
    if (name === 'http') {
      t.match(Properties, {
        AuthorizerType: 'REQUEST',
        AuthorizerPayloadFormatVersion: '2.0',
        EnableSimpleResponses: false,
        IdentitySource: ['$request.header.clientId']
      })
    } else {
      t.match(Properties, { Type: 'REQUEST', IdentitySource: 'method.request.header.clientId' })
    }
    t.match(JSON.stringify(Properties.AuthorizerUri), /functions\/\$\{AuthorizerFunction\.Arn\}\/invocations/)
  })

  t.test(`${name}: every route and method asks the authorizer`, async t => {
    const routes = ofType(await read(name), name === 'http' ? 'AWS::ApiGatewayV2::Route' : 'AWS::ApiGateway::Method')
    t.equal(routes.length, 2)
    for (const { Properties } of routes) {
      t.match(Properties, { AuthorizationType: 'CUSTOM', AuthorizerId: { Ref: 'Authorizer' } })
    }
  })

  t.test(`${name}: the access log leads to the metering function`, async t => {
    const { Resources } = await read(name)
    t.ok(Resources.AccessLogGroup!.Properties.RetentionInDays)
    t.equal(Resources.AccessLogGroup!.DeletionPolicy, 'Retain')
    t.match(
      accessLogOf({ Conditions: {}, Parameters: {}, Resources }).DestinationArn.Sub, /:log-group:\$\{AccessLogGroup\}$/
    )
    t.match(Resources.AccessLogSubscription, {
      DependsOn: 'MeteringPermission',
      Properties: {
        LogGroupName: { Ref: 'AccessLogGroup' }, FilterPattern: '', DestinationArn: { GetAtt: 'MeteringFunction.Arn' }
      }
    })
    t.match(Resources.MeteringPermission!.Properties, {
      FunctionName: { Ref: 'MeteringFunction' },
      Principal: 'logs.amazonaws.com',
      SourceArn: { GetAtt: 'AccessLogGroup.Arn' },
      SourceAccount: { Ref: 'AWS::AccountId' }
    })
    t.not(
      Resources.MeteringFunction!.Properties.LoggingConfig.LogGroup.Ref,
      'AccessLogGroup',
      'a function that is subscribed to its own log never ends'
    )
  })

  t.test(`${name}: only this API's authorizer may invoke the function`, async t => {
    const { Properties } = (await read(name)).Resources.AuthorizerPermission!
    t.match(Properties, { FunctionName: { Ref: 'AuthorizerFunction' }, Principal: 'apigateway.amazonaws.com' })
    t.match(
      Properties.SourceArn.Sub,
      /execute-api:\$\{AWS::Region\}:\$\{AWS::AccountId\}:\$\{Api\}\/authorizers\/\$\{Authorizer\}$/
    )
  })

  t.test(`${name}: what fails is kept, looked at again, and in the end told`, async t => {
    const { Resources } = await read(name)
    t.match(Resources.MeteringInvocation!.Properties, {
      Qualifier: '$LATEST',
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: { GetAtt: 'ParkingQueue.Arn' } } }
    })
    t.match(Resources.ParkedCalls!.Properties, {
      EventSourceArn: { GetAtt: 'ParkingQueue.Arn' },
      FunctionName: { Ref: 'MeteringFunction' },
      FunctionResponseTypes: ['ReportBatchItemFailures']
    })
    t.match(Resources.ParkingQueue!.Properties.RedrivePolicy, {
      deadLetterTargetArn: { GetAtt: 'DeadLetterQueue.Arn' }
    })
    t.ok(Resources.ParkingQueue!.Properties.VisibilityTimeout >= 6 * Resources.MeteringFunction!.Properties.Timeout)
    for (const queue of ['ParkingQueue', 'DeadLetterQueue']) {
      t.equal(Resources[queue]!.Properties.MessageRetentionPeriod, 14 * 86_400)
    }
    t.match(Resources.DeadLetterAlarm!.Properties.Dimensions, [{ Value: { GetAtt: 'DeadLetterQueue.QueueName' } }])
    t.match(Resources.ConfigFaultAlarm!.Properties, { Namespace: 'Metering', MetricName: 'ConfigFaults' })
  })
}

t.test('rest: a stage that logs waits for the account to have its role', async t => {
  const { Resources } = await read('rest')
  t.match(JSON.stringify(Resources.Stage!.Properties.Description), /\$\{Account\}/)
  t.match(Resources.Account!.Properties.CloudWatchRoleArn, { GetAtt: 'AccountLogRole.Arn' })
  t.match(JSON.stringify(Resources.AccountLogRole!.Properties), /AmazonAPIGatewayPushToCloudWatchLogs/)
})

t.test('sam: the format is that of the HTTP API', async t => {
  t.equal(formatOf(await read('sam')), formatOf(await read('http')))
})

t.test('sam: every path asks the authorizer, and verdicts are kept for 30 s by client id', async t => {
  const { Auth, DefinitionBody } = (await read('sam')).Resources.Api!.Properties
  t.strictSame(Object.keys(DefinitionBody.paths), ['/', '/{proxy+}'])
  t.strictSame(Object.keys(Auth.Authorizers), [Auth.DefaultAuthorizer])
  t.match(Auth.Authorizers[Auth.DefaultAuthorizer], {
    FunctionArn: { GetAtt: 'AuthorizerFunction.Arn' },
    EnableFunctionDefaultPermissions: true,
    AuthorizerPayloadFormatVersion: '2.0',
    EnableSimpleResponses: false,
    Identity: { Headers: ['clientId'], ReauthorizeEvery: 30 }
  })
})

t.test('sam: the access log leads to the metering function, and what fails is kept and looked at again', async t => {
  const template = await read('sam')
  const { AccessLogGroup, MeteringFunction, ParkingQueue, DeadLetterAlarm, ConfigFaultAlarm } = template.Resources
  t.match(accessLogOf(template).DestinationArn.Sub, /:log-group:\$\{AccessLogGroup\}$/)
  t.equal(AccessLogGroup!.DeletionPolicy, 'Retain')
  t.ok(AccessLogGroup!.Properties.RetentionInDays)
  t.match(MeteringFunction!.Properties, {
    Events: {
      AccessLog: { Type: 'CloudWatchLogs', Properties: { LogGroupName: { Ref: 'AccessLogGroup' }, FilterPattern: '' } },
      ParkedCalls: {
        Type: 'SQS',
        Properties: { Queue: { GetAtt: 'ParkingQueue.Arn' }, FunctionResponseTypes: ['ReportBatchItemFailures'] }
      }
    },
    EventInvokeConfig: {
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Type: 'SQS', Destination: { GetAtt: 'ParkingQueue.Arn' } } }
    }
  })
  t.match(ParkingQueue!.Properties.RedrivePolicy, { deadLetterTargetArn: { GetAtt: 'DeadLetterQueue.Arn' } })
  t.ok(ParkingQueue!.Properties.VisibilityTimeout >= 6 * MeteringFunction!.Properties.Timeout)
  t.match(DeadLetterAlarm!.Properties.Dimensions, [{ Value: { GetAtt: 'DeadLetterQueue.QueueName' } }])
  t.match(ConfigFaultAlarm!.Properties, { Namespace: 'Metering', MetricName: 'ConfigFaults' })
})
