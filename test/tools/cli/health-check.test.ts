import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { BUILD } from '../../../tools/shared/root.js'

async function check (environment: Record<string, string>): Promise<[code: number | null, output: string]> {
  const child = spawn(process.execPath, [join(BUILD, 'tools/cli/health-check.js')], {
    cwd: tmpdir(), env: environment, stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => { output += chunk })
  }
  const [code] = await once(child, 'close') as [number | null]
  return [code, output]
}

t.test('the health check asks where the gateway, or the worker, listens', async t => {
  let status = 200
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    response.writeHead(status).end('{}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const port = String((server.address() as AddressInfo).port)

  t.same(await check({ PORT: port }), [0, ''])
  t.same(await check({ PORT: '1', WORKER_PORT: port, FORWARDER: 'only' }), [0, ''])
  t.same(await check({ PORT: port, HOST: '127.0.0.1' }), [0, ''])
  t.same(new Set(asked), new Set(['/health/live']))
  status = 503
  t.same(await check({ PORT: port }), [1, `GET /health/live at 127.0.0.1, port ${port} was answered 503\n`])
  const [code, output] = await check({ PORT: '1' })
  t.equal(code, 1)
  t.match(output, /^GET \/health\/live at 127\.0\.0\.1, port 1: .*ECONNREFUSED.*\n$/)
})
