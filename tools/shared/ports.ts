import { createServer, type AddressInfo } from 'node:net'

/** A port of loopback that nobody listens on: the preferred one when it is free, else any. */
export async function findPort (preferred = 0): Promise<number> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(preferred, '127.0.0.1', resolve)
    })
  } catch (error) {
    if (preferred === 0) throw error
    return await findPort()
  }
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
