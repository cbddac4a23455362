import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { foldPolicy, type Needs, type Policy } from '../../../tools/cli/iam-policy/policy.js'
import { POLICY_CHARACTERS } from '../../../tools/cli/iam-policy/policy-limits.js'
import { ROOT } from '../../../tools/shared/root.js'

/** What is used of @cloud-copilot/iam-simulate, which only slow tests install. */
interface Simulator {
  runSimulation (simulation: object, options: object): Promise<{ overallResult?: string, errors?: object }>
}

const ACCOUNT = '123456789012'
const REGION = 'eu-west-1'
const PLACE = { partition: 'aws', region: REGION, account: ACCOUNT }

const packages = createRequire(join(ROOT, 'tools/testing/packages/package.json'))
const { runSimulation } = await import(
  pathToFileURL(packages.resolve('@cloud-copilot/iam-simulate')).href
) as Simulator

async function decide (policy: Policy, action: string, resource: string, namespace?: string): Promise<string> {
  const { overallResult, errors } = await runSimulation({
    identityPolicies: [{ name: 'gateway', policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    request: {
      action,
      principal: `arn:aws:iam::${ACCOUNT}:role/gateway`,
      resource: { accountId: ACCOUNT, resource },
      contextVariables: namespace === undefined ? {} : { 'cloudwatch:namespace': namespace }
    }
  }, {})
  return overallResult ?? JSON.stringify(errors)
}

const group = (name: string): string => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${name}`
const stream = (name: string): string => `${group(name)}:log-stream:browser`

/** Every call of the gateway for these names. */
function callsFor (namespace: string, logGroup: string): Array<[action: string, resource: string, namespace?: string]> {
  return [
    ['cloudwatch:PutMetricData', '*', namespace],
    ['logs:PutLogEvents', stream(logGroup)],
    ['logs:CreateLogStream', stream(logGroup)],
    ['logs:CreateLogGroup', group(logGroup)],
    ['logs:PutRetentionPolicy', group(logGroup)]
  ]
}

const NEEDS: Needs = {
  namespaces: ['shop', 'shop/*', 'v?'], logGroups: ['/web/*', '/app', '/logs/*/prod'], unusable: [], retention: true
}

t.test('a simulator allows what the configuration needs, and nothing else', async t => {
  const { policy } = foldPolicy(NEEDS, PLACE, POLICY_CHARACTERS.managed)
  for (const [namespace, logGroup] of [['shop', '/web/a/b'], ['shop/cart', '/app'], ['v1', '/logs/x/prod']] as const) {
    for (const call of callsFor(namespace, logGroup)) {
      t.equal(await decide(policy, ...call), 'Allowed', `${call[0]} ${namespace} ${logGroup}`)
    }
  }
  for (const [namespace, logGroup] of [['shops', '/webs'], ['v10', '/app2'], ['', '/logs/x/test']] as const) {
    for (const call of callsFor(namespace, logGroup)) {
      t.equal(await decide(policy, ...call), 'ImplicitlyDenied', `${call[0]} ${namespace} ${logGroup}`)
    }
  }
  for (const action of ['logs:DeleteLogGroup', 'logs:FilterLogEvents', 'logs:DeleteRetentionPolicy']) {
    t.equal(await decide(policy, action, group('/app')), 'ImplicitlyDenied', action)
  }
  t.equal(await decide(policy, 'logs:PutLogEvents', stream('/app').replace(REGION, 'us-east-1')), 'ImplicitlyDenied')
})

t.test('without retention its right is not given', async t => {
  const { policy } = foldPolicy({ ...NEEDS, retention: false }, PLACE, POLICY_CHARACTERS.managed)
  t.equal(await decide(policy, 'logs:PutRetentionPolicy', group('/app')), 'ImplicitlyDenied')
  t.equal(await decide(policy, 'logs:CreateLogGroup', group('/app')), 'Allowed')
})

t.test('a folded policy allows each call of every application, and still not everything', async t => {
  const numbers = Array.from({ length: 120 }, (_, i) => i)
  const needs: Needs = {
    namespaces: numbers.map(i => `Company/Product${i}`),
    logGroups: numbers.map(i => `/company/product-${i}`),
    unusable: [],
    retention: true
  }
  const { policy, widened } = foldPolicy(needs, PLACE, POLICY_CHARACTERS.managed)
  t.ok(widened.length > 0)
  for (const i of [0, 7, 42, 119]) {
    for (const call of callsFor(`Company/Product${i}`, `/company/product-${i}`)) {
      t.equal(await decide(policy, ...call), 'Allowed', `${call[0]} ${i}`)
    }
  }
  for (const call of callsFor('Other', '/other')) t.equal(await decide(policy, ...call), 'ImplicitlyDenied', call[0])
})
