import {
  ChangeMessageVisibilityCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient
} from '@aws-sdk/client-sqs'
import { awsClientOptions } from '../../lib/delivery/aws-client-options.js'

export interface QueuedMessage {
  body: string
  handle: string
}

/** Seconds for which a received message is hidden from others: more than its calls take. */
const HIDDEN_SECONDS = 900
const MAX_MESSAGES = 10
const REQUEST_TIMEOUT_MS = 15_000
/** Attempts at a call of SQS, as no forwarder tries again for a command. */
const MAX_ATTEMPTS = 3

export interface Queue {
  /** The messages of the queue, until none is left. */
  messages (): AsyncGenerator<QueuedMessage>
  delete (message: QueuedMessage): Promise<void>
  /** Makes the message visible to others again, at once. */
  giveBack (message: QueuedMessage): Promise<void>
  close (): void
}

export function openQueue (QueueUrl: string): Queue {
  const client = new SQSClient({
    ...awsClientOptions({ requestTimeoutMs: REQUEST_TIMEOUT_MS }),
    maxAttempts: MAX_ATTEMPTS
  })
  return {
    async * messages () {
      for (;;) {
        const { Messages = [] } = await client.send(new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: MAX_MESSAGES,
          VisibilityTimeout: HIDDEN_SECONDS,
          WaitTimeSeconds: 1
        }))
        if (Messages.length === 0) return
        for (const { Body, ReceiptHandle } of Messages) yield { body: Body!, handle: ReceiptHandle! }
      }
    },
    delete: async ({ handle }) => { await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: handle })) },
    giveBack: async ({ handle }) => {
      await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: handle, VisibilityTimeout: 0 }))
    },
    close: () => client.destroy()
  }
}
