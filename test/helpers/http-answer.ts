import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Teardown } from './teardown.js'

/** Starts a server on loopback that treats every request the same; closed with the test. */
export async function listen (t: Teardown, answer: RequestListener): Promise<string> {
  const server: Server = createServer((request, response) => {
    request.resume()
    request.on('end', () => answer(request, response))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => {
    server.closeAllConnections()
    server.close(resolve)
  }))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
