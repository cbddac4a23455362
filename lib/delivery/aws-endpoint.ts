import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { GetMetricStatisticsCommand, type CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { DescribeLogGroupsCommand, type CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'

const CONNECT_TIMEOUT_MS = 3_000

/** The part of a request that says where it would go. */
export interface Target {
  protocol: string
  hostname: string
  port?: number
}

/** Carries the target out of the SDK, before anything is signed or sent. */
class Resolved extends Error {
  constructor (readonly target: Target) {
    super('resolved')
  }
}

interface Command {
  middlewareStack: {
    add (
      middleware: () => (args: { request: unknown }) => Promise<never>, options: { step: 'build', name: string }
    ): void
  }
}

function stopAtTarget<Stopped extends object> (command: Stopped): Stopped {
  const { middlewareStack } = command as unknown as Command
  middlewareStack.add(() => async ({ request }) => {
    throw new Resolved(request as Target)
  }, { step: 'build', name: 'stopAtTarget' })
  return command
}

async function targetOf (send: () => Promise<unknown>): Promise<Target> {
  try {
    await send()
  } catch (error) {
    if (error instanceof Resolved) return error.target
    throw error
  }
  throw new Error('the SDK has sent a request that was to be stopped')
}

/**
 * Opens a connection and closes it: name, address, and over TLS the certificate, are right.
 * @throws Error of the system
 */
export async function connectTo ({ protocol, hostname, port }: Target): Promise<void> {
  const isPlain = protocol === 'http:'
  const host = hostname.replace(/^\[|\]$/g, '')
  await new Promise<void>((resolve, reject) => {
    const options = { host, port: port ?? (isPlain ? 80 : 443) }
    const socket: Socket = isPlain ? connectPlain(options) : connectTls({ ...options, servername: host })
    socket.unref()
    const timer = setTimeout(() => {
      socket.destroy(
        Object.assign(new Error(`no connection to ${host} in ${CONNECT_TIMEOUT_MS} ms`), { code: 'ETIMEDOUT' })
      )
    }, CONNECT_TIMEOUT_MS).unref()
    socket.once(isPlain ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      socket.destroy()
      resolve()
    })
    socket.once('error', error => {
      clearTimeout(timer)
      reject(error)
    })
  })
}

/**
 * The endpoints of both APIs, as the SDK finds them.
 * @throws Error of the SDK
 */
export async function findEndpoints (
  aws: { cloudwatch: CloudWatchClient, logs: CloudWatchLogsClient }
): Promise<{ cloudwatch: Target, logs: Target }> {
  const now = new Date()
  const statistics = { Namespace: 'n', MetricName: 'm', StartTime: now, EndTime: now, Period: 60 }
  const [cloudwatch, logs] = await Promise.all([
    targetOf(() => aws.cloudwatch.send(stopAtTarget(new GetMetricStatisticsCommand(statistics)))),
    targetOf(() => aws.logs.send(stopAtTarget(new DescribeLogGroupsCommand({}))))
  ])
  return { cloudwatch, logs }
}

/**
 * Whether the endpoints of both APIs, as the SDK finds them, can be reached. Nothing is asked of AWS.
 * @throws Error of the SDK, or of the system
 */
export async function reachEndpoints (
  aws: { cloudwatch: CloudWatchClient, logs: CloudWatchLogsClient }
): Promise<void> {
  await Promise.all(Object.values(await findEndpoints(aws)).map(connectTo))
}
