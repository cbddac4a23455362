import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import type { AddressInfo } from 'node:net'
import type { UnixMs } from '../../schemas/common.js'
import { reset } from './link.js'
import { itemOfMessage } from './traffic.js'

/** One call of a forwarder to CloudWatch, as it was seen on CloudWatch's side of the network. */
export interface Call {
  /** Name of the process that has made it. */
  forwarder: string
  action: string
  destination: string
  /** Numbers of the items in the call; an item that it holds twice is listed twice. */
  items: number[]
  /** Those of the items that CloudWatch has rejected for their time. */
  rejected: number[]
  startedAt: UnixMs
  endedAt: number
  /**
   * - taken: answered 200 with a body that can be read, and the answer left in full
   * - failed: answered with an error, or with a body that nobody can read
   * - lost: no answer, or the forwarder was gone before it
   */
  outcome: 'taken' | 'failed' | 'lost'
}

interface Target {
  host: string
  port: string
}

/** A proxy before CloudWatch that records each call and its answer, and changes nothing. */
export class Witness {
  /** Calls that carried items, in the order in which they ended. */
  readonly calls: Call[] = []
  readonly #target: Target
  readonly #servers: Server[] = []
  readonly #listeners = new Set<(call: Call) => void>()

  constructor (cloudwatchUrl: string) {
    const { hostname, port } = new URL(cloudwatchUrl)
    this.#target = { host: hostname, port }
  }

  /** @returns the port on which this forwarder finds CloudWatch */
  async listen (forwarder: string): Promise<number> {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.#pass(forwarder, request, response).catch(() => response.destroy())
    })
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  onCall (listener: (call: Call) => void): void {
    this.#listeners.add(listener)
  }

  close (): void {
    for (const server of this.#servers) {
      server.close()
      server.closeAllConnections()
    }
  }

  async #pass (forwarder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = Date.now()
    const body = await buffer(request)
    const call: Call = { forwarder, ...readCall(request, body), rejected: [], startedAt, endedAt: 0, outcome: 'lost' }
    response.once('close', () => {
      if (!response.writableFinished) call.outcome = 'lost'
      call.endedAt = Date.now()
      if (call.items.length === 0) return
      this.calls.push(call)
      for (const listener of this.#listeners) listener(call)
    })
    await this.#ask(request, response, body, call)
  }

  /** Passes the call on, on a connection of its own, so that no call meets a connection that was closed meanwhile. */
  async #ask (request: IncomingMessage, response: ServerResponse, body: Buffer, call: Call): Promise<void> {
    const { method, url, headers } = request
    const asked = httpRequest({
      ...this.#target,
      method,
      path: url,
      headers: { ...headers, connection: 'close' },
      agent: false
    })
    const giveUp = (): void => { asked.destroy() }
    response.once('close', giveUp)
    asked.end(body)
    try {
      const [answer] = await once(asked, 'response') as [IncomingMessage]
      const answered = await buffer(answer)
      response.off('close', giveUp)
      const output = answer.statusCode === 200 ? readOutput(answered) : null
      call.outcome = output === null ? 'failed' : 'taken'
      call.rejected = rejectedOf(call.items, output?.rejectedLogEventsInfo)
      const { connection, 'keep-alive': _, 'transfer-encoding': __, ...rest } = answer.headers
      response.writeHead(answer.statusCode!, { ...rest, 'content-length': answered.length })
      response.end(answered)
    } catch {
      reset(request.socket)
    }
  }
}

interface Output {
  rejectedLogEventsInfo?: {
    tooOldLogEventEndIndex?: number, expiredLogEventEndIndex?: number, tooNewLogEventStartIndex?: number
  }
}

/** Null when nobody can read it. */
function readOutput (body: Buffer): Output | null {
  try {
    return JSON.parse(body.toString()) as Output
  } catch {
    return null
  }
}

function rejectedOf (
  items: number[],
  {
    tooOldLogEventEndIndex = 0, expiredLogEventEndIndex = 0, tooNewLogEventStartIndex = Infinity
  }: Output['rejectedLogEventsInfo'] = {}
): number[] {
  return items.filter((_item, index) =>
    index < Math.max(tooOldLogEventEndIndex, expiredLogEventEndIndex) || index >= tooNewLogEventStartIndex)
}

interface Input {
  Namespace?: string
  MetricData?: Array<{ Value?: number, Values?: number[], Counts?: number[] }>
  logGroupName?: string
  logStreamName?: string
  logEvents?: Array<{ message: string }>
}

function readCall (request: IncomingMessage, body: Buffer): Pick<Call, 'action' | 'destination' | 'items'> {
  const action = String(request.headers['x-amz-target']).split('.')[1]!
  if (action !== 'PutLogEvents' && action !== 'PutMetricData') return { action, destination: '', items: [] }
  const json = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
  const {
    Namespace, MetricData = [], logGroupName, logStreamName, logEvents = []
  } = JSON.parse(json.toString()) as Input
  return action === 'PutLogEvents'
    ? {
        action,
        destination: `${logGroupName}:${logStreamName}`,
        items: logEvents.map(({ message }) => itemOfMessage(message))
      }
    : { action, destination: Namespace!, items: MetricData.flatMap(pointsOf) }
}

function pointsOf (
  { Value, Values = Value === undefined ? [] : [Value], Counts }: NonNullable<Input['MetricData']>[number]
): number[] {
  return Values.flatMap((value, i) => Array.from<number>({ length: Counts?.[i] ?? 1 }).fill(value))
}
