import type { Action } from '../input.js'
import { createFilterLogEvents } from './filter-log-events.js'
import { createGetLogEvents } from './get-log-events.js'
import { createGroupActions } from './groups.js'
import { createPutLogEvents } from './put-log-events.js'
import type { LogStore } from './log-store.js'
import { createSubscriptionActions } from './subscription-filters.js'
import type { Subscriptions } from './subscriptions.js'

/** The actions of CloudWatch Logs, by name. */
export function createLogActions (
  store: LogStore, options: { now: () => number, keepItems: boolean, subscriptions: Subscriptions }
): Record<string, Action> {
  return {
    ...createGroupActions(store, options.now),
    ...createSubscriptionActions(store, options.subscriptions, options.now),
    PutLogEvents: createPutLogEvents(store, options),
    GetLogEvents: createGetLogEvents(store),
    FilterLogEvents: createFilterLogEvents(store)
  }
}
