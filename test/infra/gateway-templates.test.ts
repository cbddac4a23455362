import { execFile as execFileWithCallback } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { ConfigSchema } from '../../schemas/config.js'
import { SELF_METRICS, SELF_METRICS_DIMENSION, SELF_METRICS_NAMESPACE } from '../../schemas/self-metrics.js'
import { ROOT } from '../../tools/shared/root.js'
import { parameterFaults, readTemplate, resolveTemplate, ruleFaults, type Stack } from '../helpers/cloudformation.js'
import { GIVEN, STACKS } from '../helpers/gateway-stacks.js'

const execFile = promisify(execFileWithCallback)
/** The most that CloudFormation takes without a bucket. */
const MAX_TEMPLATE_BYTES = 51_200
/** Alarms on what AWS sees of the stack, for which Prometheus has no rule. */
const ALARMS_OF_AWS = ['PostmanUnready', 'PostmanTooFewTargets', 'PostmanTooFewWorkers']
const REGION_WITHOUT_MEMORYDB = 'af-south-1'

const templates = {
  'gateway.yaml': readTemplate('gateway.yaml'), 'gateway-single.yaml': readTemplate('gateway-single.yaml')
}
type File = keyof typeof templates
const FILES = Object.keys(templates) as File[]
const variables = ConfigSchema.properties as Record<string, { default?: unknown }>
const defaultOf = (name: string): number => Number(variables[name]!.default)
/** Without one of these the gateway does not start. */
const NEEDED = [
  ...(ConfigSchema.required ?? []).filter(name => variables[name]!.default === undefined), 'CLIENT_SECRET_KEY'
]

interface AlertRule { alert: string, expr: string }
const { groups } = parse(readFileSync(join(ROOT, 'infra/prometheus-alerts.yaml'), 'utf8')) as {
  groups: Array<{ rules: AlertRule[] }>
}
const rules = new Map(groups.flatMap(group => group.rules.map(rule => [rule.alert, rule.expr])))

function ofType (stack: Stack, type: string): Array<Record<string, any>> {
  return Object.values(stack.resources).filter(({ Type }) => Type === type).map(({ Properties }) => Properties!)
}

/** The variables of each process, by the name of its task or unit. */
function environments (stack: Stack): Array<Record<string, string>> {
  const tasks = ofType(stack, 'AWS::ECS::TaskDefinition').map(({ ContainerDefinitions: [container] }) =>
    Object.fromEntries([
      ...container.Environment.map(({ Name, Value }: any) => [Name, String(Value)]),
      ...container.Secrets.map(({ Name, ValueFrom }: any) => [Name, ValueFrom])
    ]))
  const scripts = ofType(stack, 'AWS::EC2::LaunchTemplate').map(({ LaunchTemplateData }) => {
    const script = Buffer.from(LaunchTemplateData.UserData, 'base64').toString()
    return Object.fromEntries([...script.matchAll(/^([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]))
  })
  return [...tasks, ...scripts]
}

for (const file of FILES) {
  const template = templates[file]
  const stacks = STACKS[file]

  t.test(`${file}: CloudFormation takes it as it is`, async t => {
    t.same(template, readTemplate(file, '1.2'), 'it says the same to whoever reads YAML 1.1')
    t.ok(Buffer.byteLength(template.text) <= MAX_TEMPLATE_BYTES, `${Buffer.byteLength(template.text)} bytes`)
    for (const { name, ...input } of stacks) {
      t.same(parameterFaults(template, input.parameters), [], `${name}: parameters`)
      t.same(ruleFaults(template, input), [], `${name}: rules`)
      t.doesNotThrow(() => resolveTemplate(template, input), `${name}: every name leads somewhere`)
    }
    for (const [name, { Description, AllowedPattern, ConstraintDescription }] of Object.entries(template.Parameters)) {
      t.ok(Description, name)
      t.equal(AllowedPattern === undefined, ConstraintDescription === undefined, `${name} says what it must be`)
    }
  })

  t.test(`${file}: values that cannot work are refused with what they must be`, async t => {
    t.same(parameterFaults(template), Object.keys(GIVEN[file]).map(name => `${name} must have a value`))
    const wrong: Array<[string, string, RegExp]> = [
      ['DomainName', 'https://telemetry.shop.example/', /host name in lower case/],
      ['CertificateArn', 'telemetry.shop.example', /ARN of a certificate in ACM/],
      ['AllowedOrigins', 'https://shop.example/', /origins as browsers write them/],
      ['AllowedOrigins', 'shop.example', /origins as browsers write them/],
      ['AllowedNamespaces', '*', /not \* alone/],
      ['AllowedNamespaces', 'AWS/EC2', /not AWS\//],
      ['AllowedLogGroups', '/web/{shop}', /log groups or globs/],
      ['OperatorCidr', '203.0.113.7', /range of IPv4 addresses/],
      ['AlarmTopicArn', 'alarms', /ARN of an SNS topic/]
    ]
    for (const [name, value, message] of wrong) {
      const faults = parameterFaults(template, { ...GIVEN[file], [name]: value })
      t.equal(faults.length, 1, `${name}=${value}`)
      t.match(faults[0], message)
    }
  })

  t.test(`${file}: subnets of another VPC are refused`, async t => {
    const vpcOf = (subnet: string): string => subnet === 'subnet-b' ? 'vpc-other' : 'vpc-1'
    t.same(ruleFaults(template, { parameters: GIVEN[file], vpcOf }), ['All subnets must be subnets of VpcId'])
  })

  t.test(`${file}: each process is configured as the gateway is`, async t => {
    for (const { name, ...input } of stacks) {
      const found = environments(resolveTemplate(template, input))
      t.ok(found.length > 0)
      for (const environment of found) {
        for (const variable of Object.keys(environment)) {
          t.ok(variable in variables, `${name}: ${variable}`)
        }
        for (const variable of NEEDED) t.ok(variable in environment, `${name}: ${variable}`)
      }
    }
  })

  t.test(`${file}: pages and operators, and nobody else, reach their routes`, async t => {
    const { paths } = JSON.parse(readFileSync(join(ROOT, 'openapi.json'), 'utf8')) as {
      paths: Record<string, Record<string, { tags?: string[] }>>
    }
    const ofPages = Object.entries(paths).filter(([, { post }]) =>
      post?.tags?.some(tag => tag === 'tokens' || tag === 'telemetry')).map(([path]) => path)
    t.ok(ofPages.length >= 3)
    for (const { name, ...input } of stacks) {
      const stack = resolveTemplate(template, input)
      const prefix = input.parameters?.RoutePrefix ?? ''
      const listener = ofType(stack, 'AWS::ElasticLoadBalancingV2::Listener').find(({ Port }) => Port === 443)!
      t.match(listener.DefaultActions, [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '404' } }], name)
      const forwarded = ofType(stack, 'AWS::ElasticLoadBalancingV2::ListenerRule').filter(({ Conditions }) =>
        Conditions.every(({ Field }: any) => Field !== 'source-ip'))
      const open = forwarded.flatMap(({ Conditions }) => {
        const [{ PathPatternConfig }, { HttpRequestMethodConfig }] = Conditions
        t.same(HttpRequestMethodConfig.Values, ['POST', 'OPTIONS'])
        t.ok(PathPatternConfig.Values.length + HttpRequestMethodConfig.Values.length <= 5, 'values of one rule')
        return PathPatternConfig.Values
      })
      for (const path of ofPages) t.ok(open.includes(prefix + path), `${name}: ${path} leads to the gateway`)
      for (const path of open) t.ok([...ofPages, '/metrics'].includes(path.slice(prefix.length)), `${name}: ${path}`)
    }
  })

  t.test(`${file}: the time limits of load balancer and gateway fit together`, async t => {
    const stack = resolveTemplate(template, stacks[0]!)
    const attributes = Object.fromEntries([
      ...ofType(stack, 'AWS::ElasticLoadBalancingV2::LoadBalancer').flatMap(lb => lb.LoadBalancerAttributes),
      ...ofType(stack, 'AWS::ElasticLoadBalancingV2::TargetGroup').flatMap(group => group.TargetGroupAttributes)
    ].map(({ Key, Value }) => [Key, Value]))
    const idle = Number(attributes['idle_timeout.timeout_seconds']) * 1_000
    t.ok(idle < defaultOf('KEEP_ALIVE_TIMEOUT_MS'), 'the gateway keeps a connection for longer')
    t.equal(attributes['routing.http.drop_invalid_header_fields.enabled'], 'true')
    const [group] = ofType(stack, 'AWS::ElasticLoadBalancingV2::TargetGroup')
    t.equal(group!.HealthCheckPath, '/health/live', 'a gateway that AWS denies still takes requests')
    for (const { ContainerDefinitions: [{ StopTimeout }] } of ofType(stack, 'AWS::ECS::TaskDefinition')) {
      t.ok(StopTimeout * 1_000 >= defaultOf('SHUTDOWN_GRACE_MS') + 5_000)
      t.ok(StopTimeout <= 120, 'the most that Fargate gives')
    }
  })

  t.test(`${file}: the alarms watch what the gateway publishes, and are those of Prometheus`, async t => {
    const stack = resolveTemplate(template, stacks[0]!)
    const alarms = Object.entries(stack.resources).filter(([, { Type }]) => Type === 'AWS::CloudWatch::Alarm')
    const watched = new Set<string>()
    for (const [logicalId, { Properties }] of alarms) {
      const { Namespace, MetricName, Statistic, Dimensions } = Properties!
      if (Namespace !== SELF_METRICS_NAMESPACE) continue
      t.ok(MetricName in SELF_METRICS, `${logicalId}: ${MetricName}`)
      t.equal(Statistic, 'Maximum', logicalId)
      const gateway = environments(stack).find(({ SELF_METRICS: on }) => on === 'on')!.SELF_METRICS_GATEWAY
      t.same(Dimensions, [{ Name: SELF_METRICS_DIMENSION, Value: gateway }])
      watched.add(MetricName)
    }
    t.same([...watched].sort(), Object.keys(SELF_METRICS).sort(), 'each metric has an alarm')
    const named = alarms.map(([logicalId]) => logicalId).filter(logicalId => logicalId.startsWith('Postman'))
    for (const alarm of named) {
      t.ok(rules.has(alarm) !== ALARMS_OF_AWS.includes(alarm), alarm)
      t.equal(stack.resources[alarm]!.Properties!.AlarmName, `shop ${alarm}`)
      t.same(stack.resources[alarm]!.Properties!.AlarmActions, ['arn:aws:sns:eu-west-1:123456789012:alarms'])
    }
    const thresholdOf = (alarm: string): number => Number(/> ([\d.]+)$/.exec(rules.get(alarm)!)![1])
    for (const alarm of ['PostmanNotDelivering', 'PostmanSpoolFilling', 'PostmanDeadLetters']) {
      t.equal(stack.resources[alarm]!.Properties!.Threshold, thresholdOf(alarm), alarm)
    }
    const { TreatMissingData } = stack.resources.PostmanNotDelivering!.Properties!
    t.equal(TreatMissingData, 'breaching', 'a gateway that is silent')
  })

  t.test(`${file}: the outputs say where pages send, and how`, async t => {
    for (const { name, ...input } of stacks) {
      const { outputs } = resolveTemplate(template, input)
      const { SiteDomainName = '', RoutePrefix = '' } = input.parameters!
      t.equal(outputs.Url, `https://${SiteDomainName || 'telemetry.shop.example'}${RoutePrefix}`, name)
      t.match(outputs.PageSnippet, `const gateway = '${outputs.Url}'`)
    }
  })
}

t.test('gateway.yaml: a Region without MemoryDB is refused with what to do, unless another store is chosen', async t => {
  const template = templates['gateway.yaml']
  const input = { region: REGION_WITHOUT_MEMORYDB, parameters: GIVEN['gateway.yaml'] }
  const [fault, ...others] = ruleFaults(template, input)
  t.match(fault, /This Region has no MemoryDB.*Store = elasticache-serverless, whose failovers may lose items/)
  t.same(others, [])
  t.same(ruleFaults(template, { ...input, parameters: { ...input.parameters, Store: 'elasticache-serverless' } }), [])
})

t.test('gateway-single.yaml: a volume in another zone than the instance is refused', async t => {
  const input = { parameters: GIVEN['gateway-single.yaml'], zoneOf: () => 'eu-west-1b' }
  t.match(ruleFaults(templates['gateway-single.yaml'], input), [/^AvailabilityZone must be that of InstanceSubnetId/])
})

t.test('gateway-single.yaml: the spool outlives the instance and the stack, and one instance at a time has it', async t => {
  const { resources } = resolveTemplate(templates['gateway-single.yaml'], STACKS['gateway-single.yaml'][0]!)
  t.match(resources.Volume, {
    DeletionPolicy: 'Snapshot', UpdateReplacePolicy: 'Snapshot', Properties: { Encrypted: true }
  })
  t.match(resources.Group, {
    UpdatePolicy: { AutoScalingRollingUpdate: { MinInstancesInService: 0, MaxBatchSize: 1 } },
    Properties: { MinSize: '1', MaxSize: '1', VPCZoneIdentifier: ['subnet-a'] }
  })
  const script = Buffer.from(resources.LaunchTemplate!.Properties!.LaunchTemplateData.UserData, 'base64').toString()
  t.match(script, /blkid "\$device" \|\| mkfs\.xfs "\$device"/, 'a volume with a spool is never formatted')
  t.match(script, /RequiresMountsFor=\/var\/lib\/cloudwatch-postman/, 'nothing is stored beside the volume')
  await execFile('bash', ['-n', '-c', script])
})

t.test('gateway.yaml: a path of the site needs everything that makes it safe', async t => {
  const parameters = { ...GIVEN['gateway.yaml'], SiteDomainName: 'shop.example' }
  t.same(ruleFaults(templates['gateway.yaml'], { parameters }).map(fault => /needs (\w+)/.exec(fault)![1]), [
    'RoutePrefix', 'SiteOriginDomainName', 'SiteCertificateArn', 'CloudFrontPrefixListId'
  ])
})

t.test('gateway.yaml: behind CloudFront two proxies are trusted, and nobody else reaches the load balancer', async t => {
  const template = templates['gateway.yaml']
  const stacks = Object.fromEntries(STACKS['gateway.yaml'].map(({ name, ...input }) =>
    [name, resolveTemplate(template, input)]))
  const ingressOf = ({ resources }: Stack) => resources.LoadBalancerSecurityGroup!.Properties!.SecurityGroupIngress
  t.match(ingressOf(stacks.site!), [{ SourcePrefixListId: 'pl-3b927c52' }])
  t.equal(ingressOf(stacks.site!).length, 1)
  t.match(ingressOf(stacks.defaults!), [{ CidrIp: '0.0.0.0/0' }, { CidrIp: '0.0.0.0/0' }])
  t.equal(environments(stacks.site!).find(({ FORWARDER }) => FORWARDER === 'off')!.TRUST_PROXY, '2')
  t.equal(environments(stacks.defaults!).find(({ FORWARDER }) => FORWARDER === 'off')!.TRUST_PROXY, '1')
  const { CacheBehaviors: [behavior] } = stacks.site!.resources.Distribution!.Properties!.DistributionConfig
  t.match(behavior, { PathPattern: '/t/*', TargetOriginId: 'gateway' })
})

t.test('gateway.yaml: the password of the store is in no template, and the store takes nobody without it', async t => {
  for (const { name, ...input } of STACKS['gateway.yaml']) {
    const { resources } = resolveTemplate(templates['gateway.yaml'], input)
    const [user] = Object.values(resources).filter(({ Type }) => /::User$/.test(Type))
    const password = '{{resolve:secretsmanager:StorePassword}}'
    t.match(user!.Properties, { AuthenticationMode: { Type: 'password', Passwords: [password] } }, name)
    const url = resources.RedisUrl!.Properties!.SecretString as string
    const userId = user!.Type === 'AWS::MemoryDB::User' ? 'MemoryDbUser' : 'ServerlessUser'
    t.ok(url.startsWith(`rediss://${userId}:${password}@`), url)
    const rights = user!.Properties!.AccessString as string
    t.match(rights, /^on ~cloudwatch-postman:\* /)
    const documented = /^ACL SETUSER gateway on >PASSWORD resetkeys resetchannels (.*)$/m.exec(
      readFileSync(join(ROOT, 'docs/operations.md'), 'utf8'))![1]!
    t.equal(rights, `on ${documented} +info`, 'the rights that docs/operations.md names')
  }
})
