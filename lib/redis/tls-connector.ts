import { connect, type TLSSocket } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'

/**
 * Connects to a node with TLS. The client's own connector listens for one error of a socket, and a second one, such as
 * the alert of a server whose certificate was refused, would end the process.
 */
class TlsConnector extends AbstractConnector {
  readonly #options: RedisOptions

  constructor (options: unknown) {
    super((options as RedisOptions).disconnectTimeout!)
    this.#options = options as RedisOptions
  }

  async connect (): Promise<TLSSocket> {
    this.connecting = true
    // The client may be told to disconnect before.
    await new Promise(process.nextTick)
    if (!this.connecting) throw new Error('Connection is closed.')
    const { host, port, family, tls } = this.#options
    const stream = connect({ host, port, family, ...tls } as object)
    this.stream = stream
    stream.on('error', error => { this.firstError ??= error })
    return stream
  }
}

/** The options of a client that speaks TLS with a node, or does not. */
export function tlsOptions (tls: boolean): RedisOptions {
  return tls ? { tls: {}, Connector: TlsConnector } : {}
}
