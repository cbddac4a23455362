import { availableParallelism } from 'node:os'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { bindLog } from '../lib/logger.js'
import { Channel } from '../lib/processes/channel.js'
import { createProcessPort } from '../lib/processes/process-port.js'
import { readWebConcurrency } from '../lib/processes/web-concurrency.js'
import { CLOSE, WEB_PROCESS_VARIABLE, WebProcesses } from '../lib/processes/web-processes.js'
import type { ConfigOptions } from '../schemas/config.js'

declare module 'fastify' {
  interface FastifyInstance { processes: Processes }
}

type Processes =
  /** One process is the whole gateway, or shares a Redis with others. */
  | { role: 'single' }
  /** Owns the store and forwards, and has others take the requests. */
  | { role: 'primary', web: WebProcesses }
  /** Takes requests, for a primary. */
  | { role: 'web', primary: Channel }

/** How long the last lines of the log may take to be written. */
const EXIT_MS = 5_000

function openWebProcess (fastify: FastifyInstance, number: string): Processes {
  bindLog(fastify.log, { process: `web ${number}` })
  const primary = new Channel(createProcessPort(process))
  // node:cluster then ends this process.
  process.once('disconnect', () => primary.close())
  primary.onNews(CLOSE, () => {
    fastify.close().then(() => process.exit(0), () => process.exit(1))
  })
  return { role: 'web', primary }
}

function openPrimary (
  fastify: FastifyInstance, { count, command, args }: NonNullable<ConfigOptions['webProcesses']>
): Processes {
  bindLog(fastify.log, { process: 'primary' })
  // As pino does: a log that nobody reads any more is no reason to end.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
  const onGiveUp = (exitCode: number): void => {
    setTimeout(() => process.exit(exitCode || 1), EXIT_MS).unref()
    fastify.close().finally(() => process.exit(exitCode || 1))
  }
  return { role: 'primary', web: new WebProcesses({ count, command, args, log: fastify.log, onGiveUp }) }
}

function openProcesses (fastify: FastifyInstance, { webProcesses }: ConfigOptions): Processes {
  const number = process.env[WEB_PROCESS_VARIABLE]
  if (webProcesses !== undefined) return openPrimary(fastify, webProcesses)
  if (number !== undefined && process.connected) return openWebProcess(fastify, number)
  const { WEB_CONCURRENCY, FORWARDER } = fastify.config
  if (FORWARDER !== 'only' && readWebConcurrency(WEB_CONCURRENCY, availableParallelism()) > 1) {
    const mend = 'npm start starts several, fastify start does not'
    fastify.log.warn(`WEB_CONCURRENCY is ${WEB_CONCURRENCY}, and this is one process: ${mend}`)
  }
  return { role: 'single' }
}

/** Owns `fastify.processes`: which of the processes of a gateway this is, and its channels to the others. */
async function processes (fastify: FastifyInstance, options: ConfigOptions): Promise<void> {
  fastify.decorate('processes', openProcesses(fastify, options) as never)
}

export default fp(processes, { name: 'processes', dependencies: ['config', 'secrets'] })
