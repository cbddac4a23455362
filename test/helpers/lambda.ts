import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCallFilter, type CallFilterOptions } from '../../lib/metering/call-filter.js'
import { rememberDelivered } from '../../lib/metering/delivered-ids.js'
import {
  createMeteringHandler, type LambdaContext, type MeteringHandlerOptions
} from '../../lambda/metering-handler.js'
import type { ParkedMessage, Parking } from '../../lambda/parking.js'
import type { TestPlatform } from './metering.js'
import { ROOT } from '../../tools/shared/root.js'

export async function recordedEvent (name: string): Promise<any> {
  return JSON.parse(await readFile(join(ROOT, 'test/fixtures/lambda-events', `${name}.json`), 'utf8'))
}

export function lambdaContext (remainingMs = 60_000): LambdaContext {
  const endsAt = Date.now() + remainingMs
  return {
    functionName: 'metering',
    logGroupName: '/aws/lambda/metering',
    getRemainingTimeInMillis: () => Math.max(0, endsAt - Date.now())
  }
}

export interface MemoryParking extends Parking {
  parked: Array<{ message: ParkedMessage, delaySeconds: number }>
  deadLetters: ParkedMessage[]
}

/** Queues in memory. What they hold has gone through JSON. */
export function memoryParking (): MemoryParking {
  const copy = <Content>(content: Content): Content => JSON.parse(JSON.stringify(content)) as Content
  const parking: MemoryParking = {
    parked: [],
    deadLetters: [],
    park: async (messages, delaySeconds) => {
      parking.parked.push(...copy(messages).map(message => ({ message, delaySeconds })))
    },
    deadLetter: async messages => { parking.deadLetters.push(...copy(messages)) }
  }
  return parking
}

export interface TestHandler {
  handle (event: unknown, context?: LambdaContext): Promise<any>
  parking: MemoryParking
  /** What the function has logged. */
  logged: any[]
}

/** A handler as a new process would have it. */
export function openHandler (
  { client }: Pick<TestPlatform, 'client'>,
  { filter, ...options }: Partial<Omit<MeteringHandlerOptions, 'filter'>> & { filter?: CallFilterOptions } = {}
): TestHandler {
  const parking = memoryParking()
  const logged: any[] = []
  const handle = createMeteringHandler({
    client,
    filter: createCallFilter(filter),
    delivered: rememberDelivered({ max: 1_000, now: Date.now }),
    parking,
    concurrency: 4,
    now: Date.now,
    write: line => { logged.push(JSON.parse(line)) },
    ...options
  })
  return { handle: (event, context = lambdaContext()) => handle(event, context), parking, logged }
}

/** The event with which Lambda gives messages of a queue to a function. */
export function queueEvent (...bodies: unknown[]): object {
  return {
    Records: bodies.map(
      (body, index) => ({
        messageId: `m${index}`, eventSource: 'aws:sqs', body: typeof body === 'string' ? body : JSON.stringify(body)
      })
    )
  }
}
