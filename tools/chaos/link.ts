import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * - open: everything passes
 * - cut: connections are reset, and nobody can connect
 * - hold: connections are taken, and nothing passes until the link is opened, as when packets are dropped
 * - slow: every piece waits
 */
export type LinkMode = 'open' | 'cut' | 'hold' | 'slow'

const LISTEN_ATTEMPTS = 200
const LISTEN_RETRY_MS = 25

/** A TCP connection between two processes that can be made to fail. */
export class Link {
  readonly port: number
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #mode: LinkMode = 'open'
  #closed = false
  #delayMs = 0
  #opened: () => void = () => {}
  #whenOpened = Promise.resolve()

  private constructor (port: number, target: number) {
    this.port = port
    this.#target = target
  }

  /** Takes connections on one port of loopback and passes them to another. */
  static async open (port: number, target: number): Promise<Link> {
    const link = new Link(port, target)
    await link.#listen()
    return link
  }

  /** @param delayMs the delay of each piece, when slow */
  async set (mode: LinkMode, delayMs = 0): Promise<void> {
    if (this.#closed) return
    this.#mode = mode
    this.#delayMs = delayMs
    if (mode === 'hold') {
      this.#whenOpened = new Promise(resolve => { this.#opened = resolve })
    } else {
      this.#opened()
    }
    if (mode === 'cut') this.#shut()
    else await this.#listen()
  }

  /** May be called twice. */
  close (): void {
    this.#closed = true
    this.#mode = 'cut'
    this.#opened()
    this.#shut()
    for (const socket of this.#sockets) socket.destroy()
  }

  #shut (): void {
    this.#server?.close()
    this.#server = null
    for (const socket of this.#sockets) reset(socket)
  }

  async #listen (): Promise<void> {
    if (this.#server !== null) return
    const server = createServer({ allowHalfOpen: true }, socket => this.#take(socket))
    this.#server = server
    // The port was ours and will be again: a connection that somebody made from it ends soon.
    for (let attempt = 1; ; attempt++) {
      try {
        server.listen(this.port, '127.0.0.1')
        await once(server, 'listening')
        return
      } catch (error) {
        if (attempt === LISTEN_ATTEMPTS) throw error
        await sleep(LISTEN_RETRY_MS)
        if (this.#closed) return
      }
    }
  }

  #take (client: Socket): void {
    const server = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true })
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      socket.setNoDelay()
      this.#sockets.add(socket)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        this.#delay().then(() => other.destroySoon(), () => {})
      })
      // A reset on one side is a reset on the other.
      socket.on('error', () => { this.#delay().then(() => reset(other), () => {}) })
      this.#pass(socket, other).catch(() => socket.destroy())
    }
  }

  async #pass (from: Socket, to: Socket): Promise<void> {
    // The other direction goes on when this one has ended.
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      await this.#delay()
      if (!to.writable) break
      if (!to.write(chunk as Buffer)) await once(to, 'drain')
    }
    await this.#delay()
    to.end()
  }

  async #delay (): Promise<void> {
    if (this.#mode === 'slow') await sleep(this.#delayMs)
    while (this.#mode === 'hold') await this.#whenOpened
  }
}

/**
 * Resets a connection. A reset waits for bytes that are still to be written, which a stopped process never reads; and a
 * reset that comes after the end leaves its handle behind.
 */
export function reset (socket: Socket): void {
  if (socket.destroyed) return
  if (socket.connecting || socket.writableEnded || socket.writableLength > 0) socket.destroy()
  else socket.resetAndDestroy()
}
