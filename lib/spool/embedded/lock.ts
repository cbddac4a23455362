import { createHash } from 'node:crypto'
import { unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { SpoolConfigurationError } from '../spool.js'

/** Bytes that every system takes in the path of a socket. */
const MAX_SOCKET_PATH = 100

/**
 * Holds a directory for this process as long as it lives: a socket that listens in the directory. The socket of a
 * process that has ended refuses connections, which tells that it is stale.
 * @returns releases the directory
 * @throws SpoolConfigurationError when another process, or another gateway of this one, holds it
 */
export async function lockDirectory (dataDir: string): Promise<() => Promise<void>> {
  const path = socketPath(dataDir)
  let server = await listen(path)
  if (server === null) {
    if (await answers(path)) {
      throw new SpoolConfigurationError(`the spool in ${dataDir} is in use by another process or gateway: stop that ` +
        'one, set DATA_DIR to another directory, or set REDIS_URL to run several')
    }
    unlinkSync(path)
    server = await listen(path)
    if (server === null) {
      throw new SpoolConfigurationError(`another process is opening the spool in ${dataDir}: start one process only`)
    }
  }
  const held = server
  return () => new Promise(resolve => held.close(() => resolve()))
}

function socketPath (dataDir: string): string {
  const path = join(resolve(dataDir), 'spool.lock')
  const candidates = [path, relative(process.cwd(), path)]
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 16)
  return candidates.find(candidate => Buffer.byteLength(candidate) <= MAX_SOCKET_PATH) ??
    join(tmpdir(), `cloudwatch-postman-${hash}.lock`)
}

/** Null when the path is taken. */
function listen (path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null)
      else {
        reject(
          new SpoolConfigurationError(
            `cannot lock the spool with the socket ${path}: ${error.message}`, { cause: error }
          )
        )
      }
    })
    server.listen(path, () => resolve(server.unref()))
  })
}

function answers (path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
