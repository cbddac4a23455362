/** The health check of the image: ends with 0 when the gateway, or the worker, answers, else with 1 and says why. */
import { get } from 'node:http'
import { createRequire } from 'node:module'
import { loadEnvFile } from './env-file.js'

interface ServerOptions {
  port: number
  address: string
}

/** A shorter time than that of the image's HEALTHCHECK. */
const TIMEOUT_MS = 4_000
/** Where a server answers that listens on all addresses. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

function check ({ port, address }: ServerOptions): Promise<void> {
  const options = { host: LOOPBACK[address] ?? address, port, path: '/health/live', timeout: TIMEOUT_MS }
  const where = `${options.host}, port ${port}`
  return new Promise((resolve, reject) => {
    const request = get(options, ({ statusCode }) => {
      request.destroy()
      if (statusCode === 200) resolve()
      else reject(new Error(`GET /health/live at ${where} was answered ${statusCode}`))
    })
    request.once('timeout', () => {
      request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`))
    })
    request.once('error', error => reject(new Error(`GET /health/live at ${where}: ${error.message}`)))
  })
}

try {
  loadEnvFile()
  await check(createRequire(import.meta.url)('../../../fastify.config.cjs') as ServerOptions)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
