import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** How to mend the faults that keep a server from listening, by the code of the error. */
const MENDS: Record<string, string> = {
  EADDRINUSE: 'another process listens there: stop it, or set PORT to another port',
  EACCES: 'this user may not listen there: set PORT to a port from 1024 on',
  EADDRNOTAVAIL: 'this machine has no such address: mend HOST',
  ENOTFOUND: 'nobody knows this name: mend HOST'
}

/** Owns what is said when the server cannot listen: what to mend, and no trace. */
async function listening (fastify: FastifyInstance): Promise<void> {
  const { server, log } = fastify

  function explain (error: NodeJS.ErrnoException & { address?: string, hostname?: string, port?: number }): void {
    const mend = MENDS[error.code ?? '']
    if (mend === undefined) return
    const where = [error.address ?? error.hostname, error.port].filter(part => part !== undefined).join(':')
    error.message = `The gateway cannot listen on ${where} (HOST, PORT): ${mend}.`
    error.stack = error.message
    // The command line, which logs the error, too, logs nothing below this level unless it is told to.
    log.fatal(error.message)
  }

  // Before the listener of Fastify, which hands the error on.
  fastify.addHook('onReady', async () => { server.once('error', explain) })
  fastify.addHook('onListen', async () => { server.off('error', explain) })
}

export default fp(listening, { name: 'listening' })
