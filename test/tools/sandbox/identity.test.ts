import { CreateLogGroupCommand, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { AwsQuery, AwsQueryError } from '../../../tools/cli/doctor/aws-query.js'
import { openSandbox } from '../../helpers/sandbox.js'

const CALLER = { account: '000000000000', arn: 'arn:aws:sts::000000000000:assumed-role/gateway/session' }
const GROUP = 'arn:aws:logs:us-east-1:000000000000:log-group:/web/shop'

t.test('the sandbox says who calls, and what the rules against calls mean for policies', async t => {
  const sandbox = await openSandbox(t)
  const query = new AwsQuery({
    client: sandbox.cloudwatch, region: 'us-east-1', environment: { AWS_ENDPOINT_URL: sandbox.url }, timeoutMs: 5_000
  })
  t.strictSame(await query.getCallerIdentity(), {
    account: '000000000000', arn: 'arn:aws:iam::000000000000:user/sandbox'
  })
  t.equal(await query.simulate(CALLER, 'logs:PutLogEvents', GROUP), 'allowed')
  sandbox.faults.set([
    { kind: 'refuse', action: 'PutLogEvents', logGroupName: '/web/shop' },
    { kind: 'refuse', action: 'PutMetricData', namespace: 'shop' },
    { kind: 'refuse', action: 'GetCallerIdentity', message: 'not <you> & not me' }
  ])
  t.equal(await query.simulate(CALLER, 'logs:PutLogEvents', `${GROUP}:log-stream:s`), 'denied')
  t.equal(await query.simulate(CALLER, 'logs:PutLogEvents', `${GROUP}2`), 'allowed')
  t.equal(await query.simulate(CALLER, 'cloudwatch:PutMetricData', '*', 'shop'), 'denied')
  t.equal(await query.simulate(CALLER, 'cloudwatch:PutMetricData', '*', 'blog'), 'allowed')
  const refused = await query.getCallerIdentity().catch((error: unknown) => error)
  t.ok(refused instanceof AwsQueryError)
  t.match(refused, { code: 'AccessDenied', message: 'not <you> & not me' })
  t.strictSame(Object.keys(sandbox.ledger().calls).sort(), ['GetCallerIdentity', 'SimulatePrincipalPolicy'])
})

t.test('a log group with a KMS key that does not exist is not made', async t => {
  const { logs } = await openSandbox(t)
  const kmsKeyId = 'arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000'
  await t.rejects(logs.send(new CreateLogGroupCommand({ logGroupName: '/web/shop', kmsKeyId })), {
    name: 'InvalidParameterException', message: /KMS Key/
  })
  t.strictSame((await logs.send(new DescribeLogGroupsCommand({}))).logGroups, [])
})
