import type { MeteredCall } from '../lib/metering/metered-call.js'
import type { LogLine } from '../lib/metering/subscription.js'

/** A message in one of the queues; each can be given to the metering function again. */
export interface ParkedMessage {
  v: 1
  /** How often these calls were parked before. */
  attempt?: number
  calls?: MeteredCall[]
  lines?: LogLine[]
  /** A payload that could not be decoded, as it came. */
  awslogs?: { data: string }
  /** Why it is a dead letter. */
  reason?: UnmeteredReason
  /** Why it is not metered, in words for the operator. */
  message?: string
}

/** Why calls or lines become dead letters of the metering function, as a closed list. */
export const UNMETERED_REASONS = [
  /** The platform refuses this very call. */
  'refused',
  /** The line cannot be read. */
  'unreadable',
  /** The payload as a whole cannot be read. */
  'undecodable',
  /** The platform has not taken the call in about a day of attempts. */
  'exhausted'
] as const
export type UnmeteredReason = typeof UNMETERED_REASONS[number]

/** Keeps calls and lines that could not be delivered. Both methods reject when a message is not kept. */
export interface Parking {
  /** Keeps messages whose calls are sent again after the delay. */
  park (messages: ParkedMessage[], delaySeconds: number): Promise<void>
  /** Keeps messages as dead letters, for an operator to look at. */
  deadLetter (messages: ParkedMessage[]): Promise<void>
}

/** Bytes of one message; SQS takes 262,144 everywhere. */
const MAX_MESSAGE_BYTES = 200_000
/** Bytes and messages of one SendMessageBatch. */
const MAX_BATCH_BYTES = 250_000
const MAX_BATCH_MESSAGES = 10
const SEND_ATTEMPTS = 2

export interface QueueParkingOptions {
  parkingQueueUrl: string
  deadLetterQueueUrl: string
}

/** Keeps messages in two queues of SQS. */
export function createQueueParking ({ parkingQueueUrl, deadLetterQueueUrl }: QueueParkingOptions): Parking {
  return {
    park: async (messages, delaySeconds) => await sendMessages(parkingQueueUrl, messages, delaySeconds),
    deadLetter: async messages => await sendMessages(deadLetterQueueUrl, messages, 0)
  }
}

async function sendMessages (queueUrl: string, messages: ParkedMessage[], delaySeconds: number): Promise<void> {
  if (messages.length === 0) return
  const { SQSClient, SendMessageBatchCommand } = await import('@aws-sdk/client-sqs')
  const client = new SQSClient({
    maxAttempts: 2, requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true }
  })
  try {
    for (let bodies of cutBatches(messages.map(message => JSON.stringify(message)))) {
      for (let attempt = 0; bodies.length > 0; attempt++) {
        const { Failed = [] } = await client.send(new SendMessageBatchCommand({
          QueueUrl: queueUrl,
          Entries: bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody, DelaySeconds: delaySeconds }))
        }))
        bodies = Failed.map(({ Id }) => bodies[Number(Id)]!)
        if (bodies.length > 0 && attempt + 1 >= SEND_ATTEMPTS) {
          throw new Error(`SQS has not taken ${bodies.length} messages: ${Failed[0]!.Message ?? Failed[0]!.Code}`)
        }
      }
    }
  } finally {
    client.destroy()
  }
}

function cutBatches (bodies: string[]): string[][] {
  return cut(bodies, body => Buffer.byteLength(body), MAX_BATCH_MESSAGES, MAX_BATCH_BYTES)
}

/** Cuts calls or lines into parts that fit one message each. */
export function cutForMessages<Item> (items: Item[]): Item[][] {
  return cut(items, item => Buffer.byteLength(JSON.stringify(item)), Infinity, MAX_MESSAGE_BYTES)
}

function cut<Item> (items: Item[], sizeOf: (item: Item) => number, maxItems: number, maxBytes: number): Item[][] {
  const parts: Item[][] = []
  let bytes = Infinity
  for (const item of items) {
    const size = sizeOf(item)
    const part = parts.at(-1)
    if (part === undefined || part.length >= maxItems || bytes + size > maxBytes) {
      parts.push([item])
      bytes = size
    } else {
      part.push(item)
      bytes += size
    }
  }
  return parts
}
