import { connect, type Socket } from 'node:net'

const HEAD_END = '\r\n\r\n'
const STATUS_START = 'HTTP/1.1 '.length
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)/i

/** One HTTP/1.1 connection that sends ready-made requests, and reads only the status and the length of answers. */
export class Connection {
  readonly #socket: Socket
  readonly #onAnswer: (status: number) => void
  #rest: Buffer = Buffer.alloc(0)

  /** @param onBroken once, when the connection is cut */
  constructor (port: number, onAnswer: (status: number) => void, onBroken: (error: Error) => void) {
    this.#onAnswer = onAnswer
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', chunk => this.#read(chunk))
    this.#socket.once('error', onBroken)
    this.#socket.once('end', () => onBroken(new Error('the connection was closed')))
  }

  send (request: Buffer): void {
    this.#socket.write(request)
  }

  close (): void {
    this.#socket.destroy()
  }

  #read (chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let start = 0
    for (let headEnd = data.indexOf(HEAD_END); headEnd !== -1; headEnd = data.indexOf(HEAD_END, start)) {
      const head = data.toString('latin1', start, headEnd)
      const end = headEnd + HEAD_END.length + Number(CONTENT_LENGTH.exec(head)?.[1] ?? 0)
      if (end > data.length) break
      start = end
      this.#onAnswer(Number(head.slice(STATUS_START, STATUS_START + 3)))
    }
    this.#rest = data.subarray(start)
  }
}

/** A POST as bytes that can be sent again and again. */
export function postRequest (port: number, path: string, token: string | undefined, body: string): Buffer {
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`
  return Buffer.from(`${head}${authorization}Content-Length: ${Buffer.byteLength(body)}${HEAD_END}${body}`)
}
