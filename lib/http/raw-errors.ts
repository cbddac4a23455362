import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { API_ERRORS, type ApiErrorName } from '../../schemas/error-table.js'
import { corsHeadersForAll } from './cors.js'

/** The headers of answers to requests that never reach a route, so that no hook can set them. */
const HEADERS = {
  ...corsHeadersForAll(),
  'Content-Type': 'application/json; charset=utf-8',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  Connection: 'close'
}

export interface RawAnswer {
  statusCode: number
  headers: Record<string, string>
  body: string
}

function answer (name: ApiErrorName): RawAnswer {
  const { statusCode, code, message } = API_ERRORS[name]
  return { statusCode, headers: HEADERS, body: JSON.stringify({ error: { code, message } }) }
}

/** The answer to an error of the router: a path that cannot be decoded, or a parameter that is too long. */
export function answerToRouterError (error: { statusCode?: number | undefined }): RawAnswer {
  return answer(error.statusCode === 414 ? 'urlTooLong' : 'malformedRequest')
}

/** The answer to a request whose Expect header no server can meet. */
export function malformedRequestAnswer (): RawAnswer {
  return answer('malformedRequest')
}

const BY_CODE: Record<string, ApiErrorName> = {
  HPE_HEADER_OVERFLOW: 'headersTooLarge',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'bodyTooLarge',
  ERR_HTTP_REQUEST_TIMEOUT: 'requestTimeout'
}

/** Connections whose error waits for the answers to the requests before it. */
const deferred = new WeakSet<Socket>()

/** Answers a request that is no HTTP or did not come in time, behind the requests before it; ends the connection. */
export function answerToClientError (error: Error & { code?: string }, socket: Socket): void {
  const { _httpMessage: response } = socket as Socket & { _httpMessage?: ServerResponse | null }
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (response?.req.complete === true) {
    if (deferred.has(socket)) return
    deferred.add(socket)
    response.once('close', () => {
      deferred.delete(socket)
      answerToClientError(error, socket)
    })
    return
  }
  if (response?.headersSent === true) {
    socket.destroy()
    return
  }
  const { statusCode, headers, body } = answer(BY_CODE[error.code ?? ''] ?? 'malformedRequest')
  const lines = Object.entries({
    ...headers,
    'Content-Length': Buffer.byteLength(body)
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\n${lines.join('')}\r\n${body}`)
  // Not end(): a client that does not read must not keep the connection.
  socket.destroySoon()
}
