import { LOG_GROUP_NAME, RETENTION_DAYS } from '../../../schemas/aws-limits.js'
import { logs } from '../aws-error.js'
import { flagOf, integerOf, textOf, type Action, type Answer, type Input } from '../input.js'
import { groupNameOf, requireGroup, requireIdentifiedGroup, requireStream, streamNameOf } from './log-names.js'
import { byName, page } from './pages.js'
import { LogGroup, LogStream, type LogStore } from './log-store.js'

const LOG_GROUP_CLASSES = ['STANDARD', 'INFREQUENT_ACCESS', 'DELIVERY', 'ESSENTIALS']

function arnOf (group: LogGroup): string {
  return `arn:aws:logs:us-east-1:000000000000:log-group:${group.name}`
}

/** The actions that make, change, list and delete log groups and log streams. */
export function createGroupActions (store: LogStore, now: () => number): Record<string, Action> {
  return {
    CreateLogGroup (input) {
      const name = groupNameOf(input)
      if (name.startsWith(LOG_GROUP_NAME.RESERVED_PREFIX)) {
        throw logs.invalidParameter(`Log groups starting with ${LOG_GROUP_NAME.RESERVED_PREFIX} are reserved for AWS.`)
      }
      const logGroupClass = textOf(input, 'logGroupClass') ?? 'STANDARD'
      if (!LOG_GROUP_CLASSES.includes(logGroupClass)) {
        throw logs.constraint(
          logGroupClass, 'logGroupClass', `Member must satisfy enum value set: [${LOG_GROUP_CLASSES.join(', ')}]`
        )
      }
      if (store.groups.has(name)) throw logs.groupExists()
      if (textOf(input, 'kmsKeyId') !== undefined) throw logs.noKey()
      store.groups.set(name, new LogGroup(name, logGroupClass, now()))
      return { body: {} }
    },

    CreateLogStream (input) {
      const name = streamNameOf(input)
      const group = requireGroup(store, input)
      if (group.streams.has(name)) throw logs.streamExists()
      group.streams.set(name, new LogStream(name, now()))
      return { body: {} }
    },

    PutRetentionPolicy (input) {
      const days = integerOf(input, 'retentionInDays')
      if (days === undefined) throw logs.constraint(null, 'retentionInDays', 'Member must not be null')
      if (!(RETENTION_DAYS as readonly number[]).includes(days)) {
        throw logs.constraint(
          days, 'retentionInDays', `Member must satisfy enum value set: [${RETENTION_DAYS.join(', ')}]`
        )
      }
      requireGroup(store, input).retentionInDays = days
      return { body: {} }
    },

    DeleteRetentionPolicy (input) {
      requireGroup(store, input).retentionInDays = undefined
      return { body: {} }
    },

    DeleteLogGroup (input) {
      store.groups.delete(requireGroup(store, input).name)
      return { body: {} }
    },

    DeleteLogStream (input) {
      const group = requireGroup(store, input)
      group.streams.delete(requireStream(group, input).name)
      return { body: {} }
    },

    DescribeLogGroups: input => describeLogGroups(store, input),
    DescribeLogStreams: input => describeLogStreams(store, input)
  }
}

function describeLogGroups (store: LogStore, input: Input): Answer {
  const prefix = textOf(input, 'logGroupNamePrefix')
  const pattern = textOf(input, 'logGroupNamePattern')
  if (prefix !== undefined && pattern !== undefined) {
    throw logs.invalidParameter('LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.')
  }
  const found = [...store.groups.values()]
    .filter(({ name }) => name.startsWith(prefix ?? '') && name.toLowerCase().includes((pattern ?? '').toLowerCase()))
    .sort(byName)
  const { shown, nextToken } = page(found, input)
  return {
    body: {
      logGroups: shown.map(group => ({
        logGroupName: group.name,
        creationTime: group.creationTime,
        retentionInDays: group.retentionInDays,
        metricFilterCount: 0,
        arn: `${arnOf(group)}:*`,
        logGroupArn: arnOf(group),
        storedBytes: group.storedBytes,
        logGroupClass: group.logGroupClass
      })),
      nextToken
    }
  }
}

function describeLogStreams (store: LogStore, input: Input): Answer {
  const group = requireIdentifiedGroup(store, input)
  const prefix = textOf(input, 'logStreamNamePrefix')
  const orderBy = textOf(input, 'orderBy') ?? 'LogStreamName'
  if (orderBy !== 'LogStreamName' && orderBy !== 'LastEventTime') {
    throw logs.constraint(orderBy, 'orderBy', 'Member must satisfy enum value set: [LogStreamName, LastEventTime]')
  }
  if (orderBy === 'LastEventTime' && prefix !== undefined) {
    throw logs.invalidParameter('Cannot order by LastEventTime with a logStreamNamePrefix.')
  }
  const found = [...group.streams.values()].filter(({ name }) => name.startsWith(prefix ?? ''))
  found.sort(
    orderBy === 'LogStreamName'
      ? byName
      : (a, b) => (a.lastEventTimestamp ?? 0) - (b.lastEventTimestamp ?? 0) ||
      byName(a, b)
  )
  if (flagOf(input, 'descending') === true) found.reverse()
  const { shown, nextToken } = page(found, input)
  return {
    body: {
      logStreams: shown.map(({ name, creationTime, firstEventTimestamp, lastEventTimestamp, lastIngestionTime }) => ({
        logStreamName: name,
        creationTime,
        firstEventTimestamp,
        lastEventTimestamp,
        lastIngestionTime,
        arn: `${arnOf(group)}:log-stream:${name}`,
        storedBytes: 0
      })),
      nextToken
    }
  }
}
