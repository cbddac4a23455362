import type { Command } from './command.js'

export const command: Command = {
  name: 'demo',
  summary: 'shows the gateway at work, without Redis, AWS account or configuration',
  usage: `Usage: cloudwatch-postman demo [--once] [--cluster | --metering]

Starts a CloudWatch sandbox and the gateway, sends the traffic of a small shop through it, reads it back
with the AWS SDK, and stays up for you until Ctrl-C.

  --once      ends after the read-back or the metering: exit code 0, or 1 when items differ from those sent
  --cluster   runs two web processes and a worker on a Redis Cluster of three nodes instead of one process without
              Redis; needs redis-server
  --metering  shows the metering of API Gateway instead, by the gateway and by the functions of Lambda

Example
  cloudwatch-postman demo --once`,
  run: async args => await (await import('../demo/main.js')).runDemo(args)
}
