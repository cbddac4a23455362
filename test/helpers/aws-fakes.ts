import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Teardown } from './teardown.js'

export interface SentMessage {
  queueUrl: string
  body: Record<string, unknown>
  delaySeconds: number
}

/** SQS and Secrets Manager on loopback, as far as the functions use them; they speak the SDK's own wire protocol. */
export interface AwsFakes {
  url: string
  sent: SentMessage[]
  /** By id. */
  secrets: Record<string, string>
  /** Calls by action. */
  calls: Record<string, number>
  /** The next calls of this action fail. */
  fail (action: string, how: Failing, count: number): void
}

/**
 * - number: with this status
 * - partly: the first message is not taken
 * - hang: without an answer
 * - stall: with the head of an answer, and nothing behind it
 */
type Failing = number | 'partly' | 'hang' | 'stall'

interface SendMessageBatch {
  QueueUrl: string
  Entries: Array<{ Id: string, MessageBody: string, DelaySeconds?: number }>
}

export async function startAwsFakes (t: Teardown): Promise<AwsFakes> {
  const failures: Array<{ action: string, how: Failing, count: number }> = []
  const fakes: AwsFakes = {
    url: '',
    sent: [],
    secrets: {},
    calls: {},
    fail: (action, how, count) => { failures.push({ action, how, count }) }
  }

  function sendMessageBatch ({ QueueUrl, Entries }: SendMessageBatch, partly: boolean): object {
    const taken = partly ? Entries.slice(1) : Entries
    for (const { MessageBody, DelaySeconds = 0 } of taken) {
      fakes.sent.push({
        queueUrl: QueueUrl, body: JSON.parse(MessageBody) as Record<string, unknown>, delaySeconds: DelaySeconds
      })
    }
    return {
      Successful: taken.map(
        ({ Id, MessageBody }) => ({
          Id, MessageId: Id, MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex')
        })
      ),
      Failed: partly ? [{ Id: Entries[0]!.Id, SenderFault: false, Code: 'InternalError', Message: 'try again' }] : []
    }
  }

  function takeFailure (action: string): Failing | undefined {
    const failure = failures.find(candidate => candidate.action === action && candidate.count > 0)
    if (failure !== undefined) failure.count--
    return failure?.how
  }

  function answer (
    action: string, input: Record<string, unknown>, failing: Failing | undefined
  ): { status: number, body: object } {
    if (typeof failing === 'number') {
      return {
        status: failing,
        body: { __type: failing < 500 ? 'AccessDeniedException' : 'InternalFailure', message: 'failed' }
      }
    }
    if (action === 'SendMessageBatch') {
      return { status: 200, body: sendMessageBatch(input as unknown as SendMessageBatch, failing === 'partly') }
    }
    const secret = fakes.secrets[String(input.SecretId)]
    return secret === undefined
      ? { status: 400, body: { __type: 'ResourceNotFoundException', message: 'no such secret' } }
      : { status: 200, body: { SecretString: secret } }
  }

  const server = createServer((request, response) => {
    let text = ''
    request.on('data', chunk => { text += chunk })
    request.on('end', () => {
      const action = String(request.headers['x-amz-target']).split('.')[1]!
      fakes.calls[action] = (fakes.calls[action] ?? 0) + 1
      const failing = takeFailure(action)
      if (failing === 'hang') return
      const { status, body } = answer(action, JSON.parse(text) as Record<string, unknown>, failing)
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
      if (failing === 'stall') response.flushHeaders()
      else response.end(JSON.stringify(body))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => {
    server.close(resolve)
    server.closeAllConnections()
  }))
  fakes.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return fakes
}

/** Environment in which the SDK finds the fakes. */
export function awsEnvironment ({ url }: AwsFakes): Record<string, string> {
  return {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: url
  }
}
