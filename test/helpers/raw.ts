import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  body: string
}

export interface RawConnection {
  socket: Socket
  write (text: string): void
  /** All that has come when the server has closed the connection. */
  closed: Promise<string>
  /** Resolves with the first whole answer that has a Content-Length, or that the end of the connection ends. */
  answer: Promise<RawAnswer>
}

function read (text: string, ended: boolean): RawAnswer | null {
  const [head, ...rest] = text.split('\r\n\r\n')
  if (rest.length === 0) return null
  const [start, ...lines] = head!.split('\r\n')
  const headers = Object.fromEntries(
    lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
  )
  const body = rest.join('\r\n\r\n')
  const length = headers['content-length']
  if (!ended && (length === undefined || Buffer.byteLength(body) < Number(length))) return null
  return { status: Number(start!.split(' ')[1]), headers, body }
}

/** A connection on which a test says exactly what it wants to. */
export function openRaw (url: string): RawConnection {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8')
  // The server may close before it has read everything.
  socket.on('error', () => {})
  const answer = new Promise<RawAnswer>((resolve, reject) => {
    socket.on('data', (chunk: string) => {
      text += chunk
      const whole = read(text, false)
      if (whole !== null) resolve(whole)
    })
    socket.on('close', () => {
      const whole = read(text, true)
      if (whole !== null) resolve(whole)
      else reject(new Error(`closed after ${JSON.stringify(text)}`))
    })
  })
  answer.catch(() => {})
  const closed = new Promise<string>(resolve => socket.on('close', () => resolve(text)))
  return { socket, write: text => { socket.write(text) }, closed, answer }
}

/** Writes one request, or a part of one, and gives its answer. */
export async function askRaw (url: string, text: string): Promise<RawAnswer> {
  const { socket, write, answer } = openRaw(url)
  write(text)
  try {
    return await answer
  } finally {
    socket.destroy()
  }
}
