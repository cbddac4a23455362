import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'

/** A way to an endpoint on loopback that writes down the request ids which pass. */
export interface Recorder {
  url: string
  /** Of all answers so far. */
  requestIds: Set<string>
}

export async function startRecorder (endpoint: string): Promise<Recorder> {
  const requestIds = new Set<string>()
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    const call = request(new URL(url!, endpoint), { method: method!, headers }, answer => {
      requestIds.add(String(answer.headers['x-amzn-requestid']))
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    call.on('error', () => outgoing.destroy())
    incoming.pipe(call)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  after(() => new Promise(resolve => {
    server.close(resolve)
    server.closeAllConnections()
  }))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requestIds }
}
