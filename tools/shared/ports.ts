import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below those that systems give to outgoing connections: such a port stays free until its process listens, and when
 * that process comes back.
 */
const PORTS = { first: 20_000, last: 31_999 }
/** Somebody listens there, or the system allows nobody to. */
const TAKEN = ['EADDRINUSE', 'EACCES']

/** A port of loopback that nobody listens on: the preferred one when it is free, else any of PORTS. */
export async function findPort (preferred = randomInt(PORTS.first, PORTS.last + 1)): Promise<number> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(preferred, '127.0.0.1', resolve)
    })
  } catch (error) {
    if (!TAKEN.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return await findPort()
  }
  await new Promise(resolve => server.close(resolve))
  return preferred
}
