import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand } from '@aws-sdk/client-cloudwatch-logs'
import type { Sandbox } from '../../tools/sandbox/sandbox.js'
import { startSandbox, type SandboxOptions } from '../../tools/sandbox/server.js'
import type { Teardown } from './teardown.js'

export interface TestSandbox extends Sandbox {
  cloudwatch: CloudWatchClient
  logs: CloudWatchLogsClient
}

export interface TestSandboxOptions extends SandboxOptions {
  /** Of the SDK clients. Absent: 1, so that every answer is seen. */
  maxAttempts?: number
}

/** Starts a sandbox and SDK clients for it, all closed at the end of the test. */
export async function openSandbox (
  t: Teardown, { maxAttempts = 1, ...options }: TestSandboxOptions = {}
): Promise<TestSandbox> {
  const sandbox = await startSandbox(options)
  const config = {
    endpoint: sandbox.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts
  }
  const cloudwatch = new CloudWatchClient(config)
  const logs = new CloudWatchLogsClient(config)
  t.teardown(async () => {
    cloudwatch.destroy()
    logs.destroy()
    await sandbox.close()
  })
  return { ...sandbox, cloudwatch, logs }
}

export async function createStream (
  logs: CloudWatchLogsClient, logGroupName: string, logStreamName: string
): Promise<void> {
  await logs.send(new CreateLogGroupCommand({ logGroupName }))
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }))
}
