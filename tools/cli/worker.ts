import type { Command } from './command.js'
import { START_OPTIONS, startGateway } from './start.js'

export const command: Command = {
  name: 'worker',
  summary: 'starts a process that delivers what others have stored in Redis',
  usage: `Usage: cloudwatch-postman worker [options]

Starts a process that takes no items and delivers those that web processes (FORWARDER=off) have stored in a Redis:
start with FORWARDER=only. It answers the routes of operators on a port of its own.

  --port PORT        port to listen on, in place of WORKER_PORT (8081)
${START_OPTIONS}

Example
  REDIS_URL=redis://localhost:6379 cloudwatch-postman worker`,
  run: async args => { await startGateway(args, 'WORKER_PORT', { FORWARDER: 'only' }) }
}
