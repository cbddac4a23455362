/**
 * `npm start`: `fastify start` in one process. With WEB_CONCURRENCY this process owns the store and forwards, and
 * starts as many processes of `fastify start` that take the requests.
 */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { dropByteOrderMark } from './lib/configuration/dot-env.js'
import { readWebConcurrency } from './lib/processes/web-concurrency.js'
import type { ConfigOptions } from './schemas/config.js'

interface FastifyCli {
  cli (args: string[]): void
  /** @param options of the app; with `ready` the server does not listen */
  runFastify (args: string[], options: ConfigOptions & { ready: true }): Promise<unknown>
}

/** Options of fastify-cli with which it starts no server of its own. */
const NO_SERVER = ['-w', '--watch', '-h', '--help']

const require = createRequire(import.meta.url)
// Loads `.env`.
const { cli, runFastify } = require('fastify-cli/start.js') as FastifyCli
dropByteOrderMark(process.env)

const given = process.argv.slice(2)
const args = ['-c', join(import.meta.dirname, '../fastify.config.cjs'), join(import.meta.dirname, 'app.js'), ...given]
const { WEB_CONCURRENCY, FORWARDER } = process.env
const count = readWebConcurrency(WEB_CONCURRENCY, availableParallelism())

if (count === 1 || FORWARDER === 'only' || given.some(option => NO_SERVER.includes(option))) {
  cli(args)
} else {
  const webProcesses = { count, command: require.resolve('fastify-cli/cli.js'), args: ['start', ...args] }
  runFastify(args, { ready: true, webProcesses })
}
