import { randomUUID } from 'node:crypto'
import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import {
  CreateLogGroupCommand, CreateLogStreamCommand, DeleteLogGroupCommand, PutLogEventsCommand, PutRetentionPolicyCommand
} from '@aws-sdk/client-cloudwatch-logs'
import { answerWithin } from '../../../../lib/redis/ask.js'
import { classifyFailure, type Failure } from '../../../../lib/resilience/failure.js'
import { LOG_GROUP_NAME, PUT_METRIC_DATA, RETENTION_DAYS } from '../../../../schemas/aws-limits.js'
import { DAY_MS } from '../../../../schemas/common.js'
import { partitionOf } from '../../aws-partitions.js'
import { distinctGlobs } from '../../iam-policy/fold-globs.js'
import { needsOf } from '../../iam-policy/policy.js'
import type { Caller } from '../aws-query.js'
import type { Check } from '../check.js'
import { AWS_TIMEOUT_MS, type Context } from '../context.js'
import { fault, ok, warning, type Finding } from '../report.js'
import { REFUSED_CREDENTIALS } from './credentials.js'

/** Namespaces, and log groups, that are tried; each takes up to six calls. */
const MAX_TRIED = 5
/** Names that are shown in one line. */
const MAX_SHOWN = 5
/** Stands for what a glob leaves open. */
const SAMPLE = 'cloudwatch-postman-doctor'
/** Of what AWS says about a KMS key that does not exist, once it has let the caller pass. */
const KMS_REFUSAL = /KMS/i
const NO_KEY = '00000000-0000-0000-0000-000000000000'

/** What a trial has shown. */
interface Verdict {
  action: string
  /** The glob or the name that it was tried for. */
  destination: string
  /** Null when nobody knows. */
  isAllowed: boolean | null
  /** How it was tried, and of what is not allowed or not known what was said. */
  how: string
}

/** A name that the glob matches. */
function sampleOf (glob: string): string {
  return glob.replaceAll('*', SAMPLE).replaceAll('?', 'x')
}

/** The failure of a call; null when it succeeds. */
async function failureOf (call: (options: { abortSignal: AbortSignal }) => Promise<unknown>): Promise<Failure | null> {
  try {
    await call({ abortSignal: AbortSignal.timeout(AWS_TIMEOUT_MS) })
    return null
  } catch (error) {
    return classifyFailure(error)
  }
}

/** Whether AWS says that the caller may not, rather than that it does not know the caller. */
function isDenied ({ class: failureClass, name = '' }: Failure): boolean {
  return failureClass === 'denied' && !REFUSED_CREDENTIALS.test(name)
}

class Trials {
  readonly #context: Context
  readonly #caller: Caller | null
  #isSimulationRefused = false

  constructor (context: Context, caller: Caller | null) {
    this.#context = context
    this.#caller = caller
  }

  /** A data point that is too old: CloudWatch refuses it, and stores nothing. */
  async putMetricData (glob: string): Promise<Verdict[]> {
    const action = 'cloudwatch:PutMetricData'
    const namespace = sampleOf(glob)
    const how = 'tried with a data point of a month ago, which CloudWatch refuses'
    const failure = await failureOf(options => this.#context.aws.cloudwatch.send(new PutMetricDataCommand({
      Namespace: namespace,
      MetricData: [{
        MetricName: SAMPLE, Value: 0, Timestamp: new Date(Date.now() - PUT_METRIC_DATA.MAX_AGE_MS - 14 * DAY_MS)
      }]
    }), options))
    const verdict = this.#judge(action, glob, how, failure, ['invalid'])
    // Whether CloudWatch looks at the rights or at the data point first is not documented.
    if (verdict.isAllowed !== true || await this.#simulate(action, '*', namespace) !== 'denied') return [verdict]
    return [{ ...verdict, isAllowed: false, how: 'simulated with the policies of the caller' }]
  }

  /** Calls for a log stream that does not exist, in a log group that, if it can be, does not exist either. */
  async logs (glob: string, wantsRetention: boolean): Promise<Verdict[]> {
    const logGroupName = sampleOf(glob)
    const logStreamName = `${SAMPLE}-${randomUUID()}`
    const { logs } = this.#context.aws
    const put = await failureOf(options => logs.send(new PutLogEventsCommand({
      logGroupName, logStreamName, logEvents: [{ timestamp: Date.now(), message: SAMPLE }]
    }), options))
    const verdicts = [this.#judge(
      'logs:PutLogEvents', glob, 'tried with a log event for a log stream that does not exist', put, ['missing']
    )]
    if (put?.class === 'unavailable') return verdicts
    // In a log group that is there nothing must be made or changed.
    const mayExist = put?.class === 'missing' ? !/log group/i.test(put.message) : !glob.includes('*')
    const others = [
      this.#createLogStream(glob, { logGroupName, logStreamName }, mayExist),
      this.#createLogGroup(glob, logGroupName),
      ...(wantsRetention ? [this.#putRetentionPolicy(glob, logGroupName, mayExist)] : [])
    ]
    return [...verdicts, ...await Promise.all(others)]
  }

  async #createLogStream (
    glob: string, input: { logGroupName: string, logStreamName: string }, mayExist: boolean
  ): Promise<Verdict> {
    const action = 'logs:CreateLogStream'
    if (mayExist) return await this.#simulated(action, glob, `${input.logGroupName}:log-stream:${SAMPLE}`)
    const failure = await failureOf(options =>
      this.#context.aws.logs.send(new CreateLogStreamCommand(input), options))
    return this.#judge(action, glob, 'tried in a log group that does not exist', failure, ['missing'])
  }

  async #putRetentionPolicy (glob: string, logGroupName: string, mayExist: boolean): Promise<Verdict> {
    const action = 'logs:PutRetentionPolicy'
    if (mayExist) return await this.#simulated(action, glob, logGroupName)
    const failure = await failureOf(options => this.#context.aws.logs.send(
      new PutRetentionPolicyCommand({ logGroupName, retentionInDays: RETENTION_DAYS[0] }), options
    ))
    return this.#judge(action, glob, 'tried for a log group that does not exist', failure, ['missing'])
  }

  /**
   * With a KMS key that does not exist, for which AWS refuses to make the group.
   * {@link https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html}
   */
  async #createLogGroup (glob: string, logGroupName: string): Promise<Verdict> {
    const action = 'logs:CreateLogGroup'
    if (this.#caller === null) return await this.#simulated(action, glob, logGroupName)
    const { logs } = this.#context.aws
    const region = this.#context.config.AWS_REGION
    const kmsKeyId = `arn:${partitionOf(region).name}:kms:${region}:${this.#caller.account}:key/${NO_KEY}`
    const failure = await failureOf(options =>
      logs.send(new CreateLogGroupCommand({ logGroupName, kmsKeyId }), options))
    if (failure === null) return await this.#removeLogGroup(action, glob, logGroupName)
    const isOfKey = KMS_REFUSAL.test(failure.message) && !failure.message.includes(action)
    return this.#judge(
      action, glob, 'tried with a KMS key that does not exist',
      isOfKey ? { ...failure, class: 'invalid' } : failure, ['invalid', 'exists']
    )
  }

  /** AWS has made the log group all the same. */
  async #removeLogGroup (action: string, glob: string, logGroupName: string): Promise<Verdict> {
    const failure = await failureOf(options =>
      this.#context.aws.logs.send(new DeleteLogGroupCommand({ logGroupName }), options))
    const end = failure === null ? 'and deleted again' : `and not deleted (${failure.message}): delete it`
    return { action, destination: glob, isAllowed: true, how: `the log group ${logGroupName} was made, ${end}` }
  }

  /** @param passed the classes of failures that tell that the caller may */
  #judge (
    action: string, destination: string, how: string, failure: Failure | null, passed: Array<Failure['class']>
  ): Verdict {
    if (failure === null) return { action, destination, isAllowed: true, how: `${how}, and was taken` }
    if (passed.includes(failure.class)) return { action, destination, isAllowed: true, how }
    const isKnown = isDenied(failure)
    return { action, destination, isAllowed: isKnown ? false : null, how: `${how}: ${failure.message}` }
  }

  /** For an action that would leave something behind. */
  async #simulated (action: string, glob: string, logGroup: string): Promise<Verdict> {
    const { AWS_REGION: region } = this.#context.config
    const account = this.#caller?.account ?? ''
    const answer = await this.#simulate(
      action, `arn:${partitionOf(region).name}:logs:${region}:${account}:log-group:${logGroup}`
    )
    return {
      action,
      destination: glob,
      isAllowed: answer === null ? null : answer === 'allowed',
      how: answer === null
        ? 'not tried, as it might leave something behind, and the policies of the caller cannot be asked ' +
          '(iam:SimulatePrincipalPolicy)'
        : 'simulated with the policies of the caller'
    }
  }

  /** Null when the caller may not ask for it. */
  async #simulate (action: string, resource: string, namespace?: string): Promise<'allowed' | 'denied' | null> {
    if (this.#caller === null || this.#isSimulationRefused) return null
    try {
      return await this.#context.aws.query.simulate(this.#caller, action, resource, namespace)
    } catch {
      this.#isSimulationRefused = true
      return null
    }
  }
}

function shown (destinations: string[]): string {
  const others = destinations.length - MAX_SHOWN
  return destinations.slice(0, MAX_SHOWN).join(', ') + (others > 0 ? ` and ${others} more` : '')
}

/** One line for each action, and for each way in which it went. */
function summarize (verdicts: Verdict[], { config }: Context): Finding[] {
  const groups = new Map<string, Verdict[]>()
  for (const verdict of verdicts) {
    const key = JSON.stringify([verdict.action, verdict.isAllowed, verdict.isAllowed === true ? verdict.how : ''])
    groups.set(key, [...groups.get(key) ?? [], verdict])
  }
  return Array.from(groups.values(), group => {
    const [{ action, isAllowed, how }] = group as [Verdict, ...Verdict[]]
    const where = shown(group.map(({ destination }) => destination))
    if (isAllowed === true) return ok(action, `allowed for ${where}; ${how}`)
    if (isAllowed === null) {
      return warning(action, `unknown for ${where}; ${how}`, `Make sure that the role allows ${action} there.`)
    }
    const finding = `denied for ${where}; ${how}`
    const mend = 'Attach the policy that iam-policy prints, or narrow the globs of the applications to what is ' +
      'allowed; --namespace and --log-group try a name that is in use.'
    return config.FORWARDER === 'off' ? warning(action, finding, mend) : fault(action, finding, mend)
  })
}

function untried (kind: string, option: string, all: string[]): Finding[] {
  const count = all.length - MAX_TRIED
  if (count <= 0) return []
  return [warning(kind, `${count} of ${all.length} globs were not tried`, `Name one with ${option}.`)]
}

async function callerOf ({ aws }: Context): Promise<Caller | null> {
  try {
    return await aws.caller()
  } catch {
    return null
  }
}

/** Whether the caller may do what the gateway needs, tried without writing anything. */
export const permissions: Check = {
  name: 'permissions',
  async run (context) {
    const { aws, config, applications, named } = context
    const needs = needsOf(config, applications)
    const isNamed = named.namespaces.length + named.logGroups.length > 0
    const namespaces = distinctGlobs(isNamed ? named.namespaces : needs.namespaces)
    const logGroups = distinctGlobs(isNamed ? named.logGroups : needs.logGroups)
      .filter(glob => sampleOf(glob).length <= LOG_GROUP_NAME.MAX_LENGTH)
    if (namespaces.length + logGroups.length === 0) return [ok('permissions', 'none is needed')]
    try {
      await answerWithin(AWS_TIMEOUT_MS, aws.cloudwatch.config.credentials())
    } catch {
      return [warning('permissions', 'not tried, as there are no credentials', 'Mend the credentials, and look again.')]
    }
    const trials = new Trials(context, await callerOf(context))
    const verdicts = await Promise.all([
      ...namespaces.slice(0, MAX_TRIED).map(glob => trials.putMetricData(glob)),
      ...logGroups.slice(0, MAX_TRIED).map(glob => trials.logs(glob, needs.retention))
    ])
    return [
      ...summarize(verdicts.flat(), context),
      ...untried('namespaces', '--namespace', namespaces), ...untried('log groups', '--log-group', logGroups)
    ]
  }
}
