import type { Application } from '../../../schemas/applications.js'
import type { Config } from '../../../schemas/config.js'
import { SELF_METRICS_NAMESPACE } from '../../../schemas/self-metrics.js'
import { TEST_METRIC_NAMESPACE } from '../../../schemas/test-metric.js'
import { foldGlobs, type Grant } from './fold-globs.js'

/** What the gateway calls AWS for. */
export interface Needs {
  /** Globs. */
  namespaces: string[]
  logGroups: string[]
  /** Globs of log groups that match no name, and so need nothing. */
  unusable: string[]
  /** Whether log groups that the gateway makes get a retention. */
  retention: boolean
}

/** Where the log groups are. */
export interface Place {
  partition: string
  /** "*" for any. */
  region: string
  account: string
}

export interface Statement {
  Sid: string
  Effect: 'Allow'
  Action: string | string[]
  Resource: string | string[]
  Condition?: { StringLike: Record<string, string[]> }
}

export interface Policy {
  Version: '2012-10-17'
  Statement: Statement[]
}

export interface FoldedPolicy {
  policy: Policy
  /** The globs that were widened, so that the policy fits. */
  widened: Grant[]
}

/** A log group has no other characters, so a glob with one matches none. */
const LOG_GROUP_GLOB = /^[\w.\-/#*?]+$/

/** What the forwarders and GET /test of this configuration call AWS for. */
export function needsOf (config: Config, applications: readonly Application[]): Needs {
  if (config.FORWARDER === 'off') {
    return { namespaces: testNamespace(config), logGroups: [], unusable: [], retention: false }
  }
  const all = (list: 'namespaces' | 'logGroups'): string[] => applications.flatMap(application => application[list])
  return {
    namespaces: [
      ...all('namespaces'), ...testNamespace(config),
      ...(config.SELF_METRICS === 'on' ? [SELF_METRICS_NAMESPACE] : [])
    ],
    logGroups: all('logGroups').filter(glob => LOG_GROUP_GLOB.test(glob)),
    unusable: all('logGroups').filter(glob => !LOG_GROUP_GLOB.test(glob)),
    retention: config.LOG_RETENTION_DAYS !== undefined ||
      applications.some(({ retentionDays }) => retentionDays !== undefined)
  }
}

/** GET /test is a route of processes that take requests. */
function testNamespace ({ TEST_ROUTE, FORWARDER }: Config): string[] {
  return TEST_ROUTE === 'on' && FORWARDER !== 'only' ? [TEST_METRIC_NAMESPACE] : []
}

/** Characters without the white space between them. */
export function countCharacters (policy: Policy): number {
  return JSON.stringify(policy).length
}

/** The policy, with no more than so many characters. */
export function foldPolicy (needs: Needs, place: Place, maxCharacters: number): FoldedPolicy {
  const build = ([namespaces = [], logGroups = []]: string[][]): Policy =>
    buildPolicy({ ...needs, namespaces, logGroups }, place)
  const folded = foldGlobs(
    [needs.namespaces, needs.logGroups], lists => countCharacters(build(lists)) <= maxCharacters
  )
  return {
    policy: build(folded.map(row => row.map(({ glob }) => glob))),
    widened: folded.flat().filter(({ standsFor }) => standsFor.length > 1)
  }
}

function buildPolicy ({ namespaces, logGroups, retention }: Needs, place: Place): Policy {
  const statements: Statement[] = []
  if (namespaces.length > 0) {
    statements.push({
      Sid: 'PutMetrics',
      Effect: 'Allow',
      Action: 'cloudwatch:PutMetricData',
      Resource: '*',
      Condition: { StringLike: { 'cloudwatch:namespace': namespaces.map(literally) } }
    })
  }
  if (logGroups.length > 0) {
    statements.push({
      Sid: 'PutLogs',
      Effect: 'Allow',
      Action: [
        'logs:PutLogEvents', 'logs:CreateLogStream', 'logs:CreateLogGroup',
        ...(retention ? ['logs:PutRetentionPolicy'] : [])
      ],
      Resource: logGroups.flatMap(glob => resourcesOf(glob, place))
    })
  }
  return { Version: '2012-10-17', Statement: statements }
}

/**
 * CreateLogGroup and PutRetentionPolicy ask for the log group, in either form, the others for its log streams. A "*" at
 * the end matches beyond the next colon.
 * {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html}
 */
function resourcesOf (glob: string, { partition, region, account }: Place): string[] {
  const group = `arn:${partition}:logs:${region}:${account}:log-group:${glob}`
  return glob.endsWith('*') ? [group] : [group, `${group}:*`]
}

/** In a policy `${` begins a variable; globs have no other sign that IAM reads in another way. */
function literally (glob: string): string {
  return glob.replaceAll('${', '$' + '{$}{')
}
