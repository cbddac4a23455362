import { parseArgs } from 'node:util'
import { startSandbox } from './server.js'

const USAGE = `Usage: node dist/tools/sandbox/main.js [--port 4566] [--host 127.0.0.1] [--no-items]

A CloudWatch and CloudWatch Logs on loopback. Prints its URL, for AWS_ENDPOINT_URL, and serves until SIGINT or SIGTERM.

  --port      port to listen on, 0 for a free one (4566)
  --host      address to listen on (127.0.0.1)
  --no-items  count log events and data points, but do not keep them
`

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4566' },
    host: { type: 'string', default: '127.0.0.1' },
    'no-items': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

async function main (): Promise<void> {
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port must be an integer from 0 to 65535, not ${values.port}`)
  }
  const sandbox = await startSandbox({ port, host: values.host, keepItems: !values['no-items'] })
  process.stdout.write(`${sandbox.url}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { sandbox.close() })
}

if (values.help) {
  process.stdout.write(USAGE)
} else {
  main().catch((error: Error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
}
