import { unixNow } from '../lib/clock.js'
import { rememberDelivered } from '../lib/metering/delivered-ids.js'
import { concurrencyOf, openClient, openFilter } from './metering-client.js'
import { createMeteringHandler, type LambdaContext } from './metering-handler.js'
import { createQueueParking } from './parking.js'
import { writeLine } from './function-log.js'
import { requiredSetting, type Environment } from './settings.js'

/** Delivered calls whose ids are remembered, in about 10 MB. */
const REMEMBERED_CALLS = 50_000

/** @throws SettingsError */
function open (env: Environment): ReturnType<typeof createMeteringHandler> {
  return createMeteringHandler({
    client: openClient(env),
    filter: openFilter(env),
    delivered: rememberDelivered({ max: REMEMBERED_CALLS, now: unixNow }),
    parking: createQueueParking({
      parkingQueueUrl: requiredSetting(
        env, 'PARKING_QUEUE_URL', 'the URL of the queue for calls that are sent again later'
      ),
      deadLetterQueueUrl: requiredSetting(
        env, 'DEAD_LETTER_QUEUE_URL', 'the URL of the queue for calls and lines that cannot be metered'
      )
    }),
    concurrency: concurrencyOf(env),
    now: unixNow,
    write: writeLine
  })
}

let opened: ReturnType<typeof open> | null = null

/** Opened by the first event, so that a wrong setting fails an invocation, with its reason in the log. */
export async function handler (event: unknown, context: LambdaContext): Promise<unknown> {
  opened ??= open(process.env)
  return await opened(event, context)
}
