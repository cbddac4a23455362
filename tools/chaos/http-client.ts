import { Agent, request } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

const MAX_SOCKETS = 256
/** A connection that was idle for longer may be closed by the gateway at the very moment it is used again. */
const MAX_IDLE_MS = 1_500

/** An HTTP client that keeps connections and never repeats a request by itself. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, timeout: MAX_IDLE_MS })

  /** @throws Error when there is no whole answer in time */
  async send (
    method: string, url: string,
    { headers = {}, body, timeoutMs }: { headers?: Record<string, string>, body?: string, timeoutMs: number }
  ): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      const sent = request(url, {
        method,
        agent: this.#agent,
        headers: {
          ...headers,
          ...(body === undefined
            ? {}
            : {
                'content-type': 'application/json',
                'content-length': String(Buffer.byteLength(body))
              })
        }
      })
      const timer = setTimeout(() => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
      const fail = (error: Error): void => {
        clearTimeout(timer)
        reject(sent.reusedSocket ? new Error(`${error.message} (on a kept connection)`, { cause: error }) : error)
      }
      sent.once('error', fail)
      sent.once('response', answer => {
        buffer(answer).then(received => {
          clearTimeout(timer)
          resolve({ status: answer.statusCode!, headers: answer.headers, body: received.toString() })
        }, fail)
      })
      sent.end(body)
    })
  }

  close (): void {
    this.#agent.destroy()
  }
}
