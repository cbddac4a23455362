/**
 * Beside cfn-lint: the templates against the specification of CloudFormation
 * that the CDK is made of, and their policies against a simulator.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { API_TPS } from '../../schemas/aws-limits.js'
import { SELF_METRICS_NAMESPACE } from '../../schemas/self-metrics.js'
import { ROOT } from '../../tools/shared/root.js'
import { readTemplate, resolveTemplate, type Stack, type StackInput } from '../helpers/cloudformation.js'
import { STACKS } from '../helpers/gateway-stacks.js'

type PropertyType =
  | { type: 'string' | 'number' | 'integer' | 'boolean' | 'json' | 'date-time' | 'tag' | 'null' }
  | { type: 'array' | 'map', element: PropertyType }
  | { type: 'union', types: PropertyType[] }
  | { type: 'ref', reference: object }
type Properties = Record<string, { type: PropertyType, required?: boolean }>
interface Resource { properties: Properties, attributes: Record<string, unknown> }
interface Specification {
  lookup (entity: 'resource', field: 'cloudFormationType', how: 'equals', type: string): Resource[]
  get (entity: 'typeDefinition', reference: object): { properties: Properties }
}

t.setTimeout(120_000)

const require = createRequire(join(ROOT, 'tools/testing/packages/package.json'))
const { loadAwsServiceSpecSync } = require('@aws-cdk/aws-service-spec') as { loadAwsServiceSpecSync (): Specification }
const { runSimulation } = require('@cloud-copilot/iam-simulate') as {
  runSimulation (simulation: object, options: object): Promise<any>
}
const specification = loadAwsServiceSpecSync()

const ACCOUNT = '123456789012'
const REGION = 'eu-west-1'
/** AWS takes inline policies of a role up to this many characters. */
const MAX_INLINE_CHARACTERS = 10_240

function faultsOfProperties (properties: Properties, value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} must be an object`]
  const unknown = Object.keys(value).filter(name => !(name in properties)).map(name => `${path}.${name} does not exist`)
  const missing = Object.entries(properties).filter(([name, { required }]) => required === true && !(name in value))
    .map(([name]) => `${path}.${name} is required`)
  const wrong = Object.entries(value).flatMap(([name, entry]) =>
    name in properties ? faultsOf(entry, properties[name]!.type, `${path}.${name}`) : [])
  return [...unknown, ...missing, ...wrong]
}

function faultsOf (value: unknown, type: PropertyType, path: string): string[] {
  const fault = (is: boolean): string[] => is ? [] : [`${path} must be a ${type.type}: ${JSON.stringify(value)}`]
  switch (type.type) {
    case 'json': return []
    case 'string':
    case 'date-time': return fault(typeof value !== 'object')
    case 'number':
    case 'integer': return fault(typeof value !== 'object' && value !== '' && !Number.isNaN(Number(value)))
    case 'boolean': return fault(['true', 'false'].includes(String(value)))
    case 'array':
      return Array.isArray(value)
        ? value.flatMap((entry, index) => faultsOf(entry, type.element, `${path}[${index}]`))
        : fault(false)
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).flatMap(([name, entry]) => faultsOf(entry, type.element, `${path}.${name}`))
        : fault(false)
    case 'tag': {
      const text = { type: { type: 'string' }, required: true } as const
      return faultsOfProperties({ Key: text, Value: text }, value, path)
    }
    case 'ref': return faultsOfProperties(specification.get('typeDefinition', type.reference).properties, value, path)
    case 'union': {
      const faults = type.types.map(alternative => faultsOf(value, alternative, path))
      return faults.toSorted((a, b) => a.length - b.length)[0]!
    }
    default: return fault(value === null)
  }
}

function resourceOf (type: string): Resource | undefined {
  return specification.lookup('resource', 'cloudFormationType', 'equals', type)[0]
}

function faultsOfStack ({ resources, references }: Stack): string[] {
  const ofResources = Object.entries(resources).flatMap(([logicalId, { Type, Properties }]) => {
    const resource = resourceOf(Type)
    return resource === undefined
      ? [`${logicalId}: there is no type ${Type}`]
      : faultsOfProperties(resource.properties, Properties, logicalId)
  })
  const ofReferences = references.flatMap(({ from, logicalId, attribute }) => {
    const { Type } = resources[logicalId]!
    return attribute === null || attribute in resourceOf(Type)!.attributes
      ? []
      : [`${from}: ${Type} has no attribute ${attribute}`]
  })
  return [...ofResources, ...ofReferences]
}

/** ARNs as AWS would give them, where a policy names them. */
function physicalId (logicalId: string, attribute: string | null): string {
  if (/(Key|Token|Password|Url)$/.test(logicalId)) {
    return `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${logicalId}-AbCdEf`
  }
  if (logicalId.endsWith('LogGroup') && attribute === 'Arn') {
    return `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/cloudwatch-postman/shop/${logicalId}:*`
  }
  if (logicalId === 'Volume') return 'vol-0123456789abcdef0'
  return attribute === null ? logicalId : `${logicalId}.${attribute}`
}

interface Request { action: string, resource?: string, context?: Record<string, string> }

/** What IAM answers to a role of a stack. */
async function decide ({ resources }: Stack, role: string, { action, resource = '*', context = {} }: Request) {
  const { Policies } = resources[role]!.Properties!
  const answer = await runSimulation({
    request: {
      principal: `arn:aws:iam::${ACCOUNT}:role/${role}`,
      action,
      resource: { resource, accountId: ACCOUNT },
      contextVariables: { 'aws:RequestedRegion': REGION, ...context }
    },
    identityPolicies: Policies.map((policy: any) => ({ name: policy.PolicyName, policy: policy.PolicyDocument })),
    serviceControlPolicies: [],
    resourceControlPolicies: []
  }, {})
  if (answer.resultType === 'error') throw new Error(`${action}: ${JSON.stringify(answer.errors)}`)
  return answer.overallResult as 'Allowed' | 'ImplicitlyDenied' | 'ExplicitlyDenied'
}

const group = (name: string, region = REGION): string => `arn:aws:logs:${region}:${ACCOUNT}:log-group:${name}`
const stream = (name: string, region = REGION): string => `${group(name, region)}:log-stream:browser`
const secret = (name: string): string => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-AbCdEf`
const inNamespace = (namespace: string): Record<string, string> => ({ 'cloudwatch:namespace': namespace })

/** Everything that the gateway calls, so that a call of another API is missed here first. */
const CALLS: Record<keyof typeof API_TPS, Request> = {
  PutMetricData: { action: 'cloudwatch:PutMetricData', context: inNamespace('web/shop') },
  PutLogEvents: { action: 'logs:PutLogEvents', resource: stream('/web/shop') },
  CreateLogGroup: { action: 'logs:CreateLogGroup', resource: group('/web/shop') },
  CreateLogStream: { action: 'logs:CreateLogStream', resource: stream('/web/shop') },
  PutRetentionPolicy: { action: 'logs:PutRetentionPolicy', resource: group('/web/shop') }
}
const OTHERS: Request[] = [
  { action: 'cloudwatch:PutMetricData', context: inNamespace('billing') },
  { action: 'cloudwatch:PutMetricData', context: inNamespace('AWS/EC2') },
  { action: 'cloudwatch:PutMetricData', context: inNamespace('cloudwatch-postman/v2') },
  { action: 'cloudwatch:GetMetricData' },
  { action: 'logs:PutLogEvents', resource: stream('/aws/lambda/payments') },
  { action: 'logs:PutLogEvents', resource: stream('/cloudwatch-postman/shop/web') },
  {
    action: 'logs:PutLogEvents',
    resource: stream('/web/shop', 'us-east-1'),
    context: { 'aws:RequestedRegion': 'us-east-1' }
  },
  { action: 'logs:CreateLogGroup', resource: group('/aws/lambda/payments') },
  { action: 'logs:DeleteLogGroup', resource: group('/web/shop') },
  { action: 'logs:GetLogEvents', resource: stream('/web/shop') },
  { action: 'iam:PassRole', resource: `arn:aws:iam::${ACCOUNT}:role/admin` }
]

for (const [file, stacks] of Object.entries(STACKS)) {
  const template = readTemplate(file)
  const resolve = (input: StackInput): Stack => resolveTemplate(template, { ...input, region: REGION, physicalId })

  t.test(`${file}: every resource, property and attribute is one of CloudFormation`, async t => {
    for (const { name, ...input } of stacks) t.same(faultsOfStack(resolveTemplate(template, input)), [], name)
  })

  const role = file === 'gateway.yaml' ? 'WorkerRole' : 'InstanceRole'
  t.test(`${file}: the role that delivers may call what the gateway calls, and nothing else`, async t => {
    for (const { name, ...input } of stacks) {
      const stack = resolve(input)
      for (const [api, request] of Object.entries(CALLS)) {
        t.equal(await decide(stack, role, request), 'Allowed', `${name}: ${api}`)
      }
      const own: Request = { action: 'cloudwatch:PutMetricData', context: inNamespace(SELF_METRICS_NAMESPACE) }
      t.equal(await decide(stack, role, own), 'Allowed', `${name}: its own metrics`)
      for (const request of OTHERS) {
        t.equal(await decide(stack, role, request), 'ImplicitlyDenied', `${name}: ${JSON.stringify(request)}`)
      }
      for (const { PolicyDocument } of stack.resources[role]!.Properties!.Policies) {
        t.ok(JSON.stringify(PolicyDocument).length < MAX_INLINE_CHARACTERS)
      }
    }
  })

  t.test(`${file}: each glob of the parameters has its rights`, async t => {
    const stack = resolve(stacks.find(({ parameters }) => parameters.AllowedLogGroups?.includes(','))!)
    for (const request of [
      { action: 'logs:PutLogEvents', resource: stream('/shop/errors') },
      { action: 'logs:CreateLogGroup', resource: group('/shop/errors') },
      { action: 'cloudwatch:PutMetricData', context: inNamespace('shop1') }
    ]) t.equal(await decide(stack, role, request), 'Allowed', request.action)
    const other = { action: 'logs:CreateLogGroup', resource: group('/shop/other') }
    t.equal(await decide(stack, role, other), 'ImplicitlyDenied')
  })
}

t.test('gateway.yaml: tasks start with what they need, and no other secret', async t => {
  const stack = resolveTemplate(readTemplate('gateway.yaml'), { ...STACKS['gateway.yaml'][0]!, physicalId })
  for (const { Secrets } of Object.values(stack.resources).filter(({ Type }) => Type === 'AWS::ECS::TaskDefinition')
    .map(({ Properties }) => Properties!.ContainerDefinitions[0])) {
    for (const { ValueFrom } of Secrets) {
      const request = { action: 'secretsmanager:GetSecretValue', resource: ValueFrom }
      t.equal(await decide(stack, 'ExecutionRole', request), 'Allowed', ValueFrom)
    }
  }
  for (const request of [
    { action: 'ecr:GetAuthorizationToken' },
    { action: 'ecr:BatchGetImage', resource: `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/cloudwatch-postman` },
    { action: 'logs:PutLogEvents', resource: stream('/cloudwatch-postman/shop/WebLogGroup') }
  ]) t.equal(await decide(stack, 'ExecutionRole', request), 'Allowed', request.action)
  for (const request of [
    { action: 'secretsmanager:GetSecretValue', resource: secret('StorePassword') },
    { action: 'secretsmanager:GetSecretValue', resource: secret('OtherKey') },
    { action: 'logs:PutLogEvents', resource: stream('/web/shop') }
  ]) t.equal(await decide(stack, 'ExecutionRole', request), 'ImplicitlyDenied', request.action)
  t.notOk('TaskRoleArn' in stack.resources.WebTask!.Properties!, 'web tasks have no rights')
})

t.test('gateway-single.yaml: the instance attaches its own volume to itself alone', async t => {
  const stack = resolveTemplate(readTemplate('gateway-single.yaml'), { ...STACKS['gateway-single.yaml'][0]!, physicalId })
  const ec2 = (resource: string): string => `arn:aws:ec2:${REGION}:${ACCOUNT}:${resource}`
  const attach = (resource: string, owner?: string): Request => ({
    action: 'ec2:AttachVolume',
    resource: ec2(resource),
    context: owner === undefined ? {} : { 'ec2:ResourceTag/cloudwatch-postman': owner }
  })
  const decisions = await Promise.all([
    attach('volume/vol-0123456789abcdef0'), attach('instance/i-0123456789abcdef0', 'shop'),
    attach('volume/vol-0000000000000000f'), attach('instance/i-0123456789abcdef0', 'other')
  ].map(request => decide(stack, 'InstanceRole', request)))
  t.same(decisions, ['Allowed', 'Allowed', 'ImplicitlyDenied', 'ImplicitlyDenied'])
  for (const name of ['ClientSecretKey', 'AccessTokenSecretKey', 'AdminToken']) {
    const request = { action: 'secretsmanager:GetSecretValue', resource: secret(name) }
    t.equal(await decide(stack, 'InstanceRole', request), 'Allowed', name)
  }
})

t.test('the check finds what is wrong', async t => {
  const wrong: Stack = {
    resources: {
      Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueNam: 'q', DelaySeconds: 'soon' } },
      Role: { Type: 'AWS::IAM::Role', Properties: {} },
      Thing: { Type: 'AWS::SQS::Thing', Properties: {} }
    },
    outputs: {},
    references: [{ from: 'Role', logicalId: 'Queue', attribute: 'Address' }]
  }
  t.same(faultsOfStack(wrong), [
    'Queue.QueueNam does not exist', 'Queue.DelaySeconds must be a integer: "soon"',
    'Role.AssumeRolePolicyDocument is required', 'Thing: there is no type AWS::SQS::Thing',
    'Role: AWS::SQS::Queue has no attribute Address'
  ])
})
