import type { PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'

/** Has the SDK sign and send this body in place of the one that it would write of the command's input. */
export function withBody (command: PutLogEventsCommand, body: Buffer): PutLogEventsCommand {
  command.middlewareStack.add(next => async args => {
    const request = args.request as { body: unknown }
    request.body = body
    return await next(args)
  }, { step: 'build', priority: 'high', name: 'readyBody' })
  return command
}
