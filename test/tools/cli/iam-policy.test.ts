import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { countCharacters, type Policy } from '../../../tools/cli/iam-policy/policy.js'
import { POLICY_CHARACTERS } from '../../../tools/cli/iam-policy/policy-limits.js'
import { runCli } from '../../helpers/cli.js'

const ARN = 'arn:aws:logs:eu-west-1:123456789012:log-group:'
const LOG_ACTIONS = ['logs:PutLogEvents', 'logs:CreateLogStream', 'logs:CreateLogGroup']
const PLACE = ['--account', '123456789012', '--region', 'eu-west-1']

/** In a policy it would be the value of a key. */
const VARIABLE = `${'$'}{aws:x}`

function application (id: string, fields: object): object {
  return { id, clientSecrets: [`client-secret-of-${id}`], allowedOrigins: ['*'], ...fields }
}

async function policyOf (
  t: Test, applications: object[] | null, args: string[] = PLACE, environment: Record<string, string> = {}
): Promise<{ policy: Policy, stderr: string }> {
  const folder = t.testdir()
  const file = join(folder, 'apps.json')
  if (applications !== null) await writeFile(file, JSON.stringify({ applications }))
  const { code, stdout, stderr } = await runCli(
    t, ['iam-policy', ...applications === null ? [] : ['--apps', file], ...args], { folder, environment }
  )
  t.equal(code, 0, stderr)
  return { policy: JSON.parse(stdout) as Policy, stderr }
}

t.test('the policy of an APPS_FILE allows what its applications may write, without any secret being set', async t => {
  const { policy, stderr } = await policyOf(t, [
    application('shop', { namespaces: ['shop', 'shop/*'], logGroups: ['/web/shop', '/web/*'] }),
    application('blog', { namespaces: ['blog' + VARIABLE], logGroups: ['/blog'], retentionDays: 30, emf: 'allow' })
  ])
  t.strictSame(policy, {
    Version: '2012-10-17',
    Statement: [{
      Sid: 'PutMetrics',
      Effect: 'Allow',
      Action: 'cloudwatch:PutMetricData',
      Resource: '*',
      Condition: {
        StringLike: { 'cloudwatch:namespace': [`blog${'$'}{$}{aws:x}`, 'cloudwatch-postman', 'shop', 'shop/*'] }
      }
    }, {
      Sid: 'PutLogs',
      Effect: 'Allow',
      Action: [...LOG_ACTIONS, 'logs:PutRetentionPolicy'],
      Resource: [`${ARN}/blog`, `${ARN}/blog:*`, `${ARN}/web/*`]
    }]
  })
  t.match(stderr, /emf: allow.*cloudwatch:namespace does not hold/)
})

t.test('without a file the variables count, and only what they need is allowed', async t => {
  const { policy, stderr } = await policyOf(t, null, [], {
    ALLOWED_NAMESPACES: 'shop',
    ALLOWED_LOG_GROUPS: '/web/*,a b',
    AWS_REGION: 'cn-north-1',
    TEST_ROUTE: 'off',
    SELF_METRICS: 'on'
  })
  t.strictSame(policy.Statement, [{
    Sid: 'PutMetrics',
    Effect: 'Allow',
    Action: 'cloudwatch:PutMetricData',
    Resource: '*',
    Condition: { StringLike: { 'cloudwatch:namespace': ['cloudwatch-postman/v1', 'shop'] } }
  }, {
    Sid: 'PutLogs',
    Effect: 'Allow',
    Action: LOG_ACTIONS,
    Resource: ['arn:aws-cn:logs:cn-north-1:*:log-group:/web/*']
  }])
  t.equal(stderr, 'No log group has a name like a b, so nothing is allowed for it.\n')
  const none = await policyOf(t, null, [], { FORWARDER: 'off', TEST_ROUTE: 'off' })
  t.strictSame(none.policy.Statement, [])
  t.match(none.stderr, /calls nothing of AWS/)
})

t.test('many applications are folded under the limit of AWS, and what was widened is said', async t => {
  const applications = Array.from({ length: 200 }, (_, i) => application(`app-${i}`, {
    namespaces: [`Company/Product${i}`], logGroups: [`/company/product-${i}`]
  }))
  const managed = await policyOf(t, applications)
  const inline = await policyOf(t, applications, [...PLACE, '--inline'])
  const [size, inlineSize] = [countCharacters(managed.policy), countCharacters(inline.policy)]
  t.ok(size <= POLICY_CHARACTERS.managed && size > POLICY_CHARACTERS.managed * 0.7, String(size))
  t.ok(inlineSize <= POLICY_CHARACTERS.inline && inlineSize > POLICY_CHARACTERS.inline * 0.7, String(inlineSize))
  t.match(managed.stderr, /^Widened to fit in 6144 characters/)
  t.match(managed.stderr, /\n {2}\/company\/product-\d+\* for \/company\/product-\d+, /)
})

t.test('a wrong option, and a file that cannot be used, are told in a message', async t => {
  const folder = t.testdir()
  for (const [args, expected, message] of [
    [['--account', '12'], 2, /^--account must be twelve digits, not 12: see cloudwatch-postman iam-policy --help\n$/],
    [['--partition', 'azure'], 2, /^--partition must be one of aws, /],
    [['--nonsense'], 2, /^Unknown option '--nonsense'/],
    [['--apps', 'absent.json'], 1, /absent\.json \(APPS_FILE\) cannot be used/]
  ] as const) {
    const { code, stdout, stderr } = await runCli(t, ['iam-policy', ...args], { folder })
    t.equal(code, expected)
    t.equal(stdout, '')
    t.match(stderr, message)
    t.notMatch(stderr, / at .*:\d+/)
  }
})
