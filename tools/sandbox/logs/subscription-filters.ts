import { AwsError, logs } from '../aws-error.js'
import { textOf, type Action, type Input } from '../input.js'
import { compileFilterPattern } from './filter-pattern.js'
import { requireGroup } from './log-names.js'
import { byName, page } from './pages.js'
import type { LogStore } from './log-store.js'
import type { Subscriptions } from './subscriptions.js'

const MAX_FILTERS = 2
const MAX_NAME_LENGTH = 512
const MAX_PATTERN_LENGTH = 1_024
const NAME_PATTERN = /^[^:*]*$/

/** The actions that subscribe a function to a log group. */
export function createSubscriptionActions (
  store: LogStore, subscriptions: Subscriptions, now: () => number
): Record<string, Action> {
  return {
    PutSubscriptionFilter (input) {
      const group = requireGroup(store, input)
      const filterName = requireFilterName(input)
      const filterPattern = requirePattern(input)
      const destinationArn = textOf(input, 'destinationArn')
      if (destinationArn === undefined || destinationArn === '') {
        throw logs.constraint(destinationArn ?? null, 'destinationArn', 'Member must not be null')
      }
      if (!group.subscriptionFilters.has(filterName) && group.subscriptionFilters.size >= MAX_FILTERS) {
        throw new AwsError(400, 'LimitExceededException', 'Resource limit exceeded.')
      }
      if (!subscriptions.canInvoke(destinationArn)) {
        throw logs.invalidParameter(
          'Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute ' +
            'your function.'
        )
      }
      const filter = { filterName, filterPattern, destinationArn, creationTime: now() }
      group.subscriptionFilters.set(filterName, filter)
      subscriptions.probe(group, filter)
      return { body: {} }
    },

    DeleteSubscriptionFilter (input) {
      const group = requireGroup(store, input)
      if (!group.subscriptionFilters.delete(requireFilterName(input))) {
        throw new AwsError(400, 'ResourceNotFoundException', 'The specified subscription filter does not exist.')
      }
      return { body: {} }
    },

    DescribeSubscriptionFilters (input) {
      const group = requireGroup(store, input)
      const prefix = textOf(input, 'filterNamePrefix') ?? ''
      const found = [...group.subscriptionFilters.values()]
        .filter(({ filterName }) => filterName.startsWith(prefix))
        .sort((a, b) => byName({ name: a.filterName }, { name: b.filterName }))
      const { shown, nextToken } = page(found, input)
      return {
        body: {
          subscriptionFilters: shown.map(filter => ({
            ...filter,
            logGroupName: group.name,
            distribution: 'ByLogStream'
          })),
          nextToken
        }
      }
    }
  }
}

function requireFilterName (input: Input): string {
  const name = textOf(input, 'filterName')
  if (name === undefined) throw logs.constraint(null, 'filterName', 'Member must not be null')
  if (name.length < 1) throw logs.constraint(name, 'filterName', 'Member must have length greater than or equal to 1')
  if (name.length > MAX_NAME_LENGTH) {
    throw logs.constraint(name, 'filterName', `Member must have length less than or equal to ${MAX_NAME_LENGTH}`)
  }
  if (!NAME_PATTERN.test(name)) {
    throw logs.constraint(name, 'filterName', `Member must satisfy regular expression pattern: ${NAME_PATTERN.source}`)
  }
  return name
}

function requirePattern (input: Input): string {
  const pattern = textOf(input, 'filterPattern')
  if (pattern === undefined) throw logs.constraint(null, 'filterPattern', 'Member must not be null')
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw logs.constraint(
      pattern, 'filterPattern', `Member must have length less than or equal to ${MAX_PATTERN_LENGTH}`
    )
  }
  compileFilterPattern(pattern)
  return pattern
}
