import { LOG_GROUP_NAME, LOG_STREAM_NAME } from '../../../schemas/aws-limits.js'
import { logs } from '../aws-error.js'
import { integerOf, textOf, type Input } from '../input.js'
import type { LogGroup, LogStore, LogStream } from './log-store.js'

const GROUP_PATTERN = new RegExp(LOG_GROUP_NAME.PATTERN)
const STREAM_PATTERN = new RegExp(LOG_STREAM_NAME.PATTERN)
const GROUP_ARN = /^arn:[^:]*:logs:[^:]*:[^:]*:log-group:([^:]+)(?::\*)?$/

function requireName (name: string | undefined, path: string, maxLength: number, pattern: RegExp): string {
  if (name === undefined) throw logs.constraint(null, path, 'Member must not be null')
  if (name.length < 1) throw logs.constraint(name, path, 'Member must have length greater than or equal to 1')
  if (name.length > maxLength) {
    throw logs.constraint(name, path, `Member must have length less than or equal to ${maxLength}`)
  }
  if (!pattern.test(name)) {
    throw logs.constraint(name, path, `Member must satisfy regular expression pattern: ${pattern.source}`)
  }
  return name
}

/** @throws AwsError unless logGroupName is there and well-formed */
export function groupNameOf (input: Input): string {
  return requireName(textOf(input, 'logGroupName'), 'logGroupName', LOG_GROUP_NAME.MAX_LENGTH, GROUP_PATTERN)
}

/** @throws AwsError unless logStreamName is there and well-formed */
export function streamNameOf (input: Input): string {
  return requireName(textOf(input, 'logStreamName'), 'logStreamName', LOG_STREAM_NAME.MAX_LENGTH, STREAM_PATTERN)
}

/** The log group of logGroupName. @throws AwsError */
export function requireGroup (store: LogStore, input: Input): LogGroup {
  const group = store.groups.get(groupNameOf(input))
  if (group === undefined) throw logs.noGroup()
  return group
}

/** The log group that a read names by logGroupName or logGroupIdentifier. @throws AwsError */
export function requireIdentifiedGroup (store: LogStore, input: Input): LogGroup {
  const identifier = textOf(input, 'logGroupIdentifier')
  if (identifier === undefined) return requireGroup(store, input)
  if (textOf(input, 'logGroupName') !== undefined) {
    throw logs.invalidParameter('LogGroup name and LogGroup identifier are mutually exclusive parameters.')
  }
  const group = store.groups.get(GROUP_ARN.exec(identifier)?.[1] ?? identifier)
  if (group === undefined) throw logs.noGroup()
  return group
}

/** @throws AwsError */
export function requireStream (group: LogGroup, input: Input): LogStream {
  const stream = group.streams.get(streamNameOf(input))
  if (stream === undefined) throw logs.noStream()
  return stream
}

/** The limit of a page. @throws AwsError unless it is between 1 and max */
export function pageLimitOf (input: Input, max: number): number {
  const limit = integerOf(input, 'limit') ?? max
  if (limit < 1) throw logs.constraint(limit, 'limit', 'Member must have value greater than or equal to 1')
  if (limit > max) throw logs.constraint(limit, 'limit', `Member must have value less than or equal to ${max}`)
  return limit
}
