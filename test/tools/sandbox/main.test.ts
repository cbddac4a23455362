import { DescribeLogGroupsCommand, CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const MAIN = fileURLToPath(new URL('../../../tools/sandbox/main.js', import.meta.url))

function start (t: Test, ...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output.stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output.stderr += text })
  return { child, output, exit: once(child, 'close') }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`prints its URL, serves, and ends cleanly on ${signal}`, async t => {
    const { child, output, exit } = start(t, '--port', '0')
    while (!output.stdout.includes('\n')) await once(child.stdout, 'data')
    t.match(output.stdout, /^http:\/\/127\.0\.0\.1:\d+\n$/)
    const logs = new CloudWatchLogsClient({
      endpoint: output.stdout.trim(), region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }
    })
    t.same((await logs.send(new DescribeLogGroupsCommand({}))).logGroups, [])
    child.kill(signal)
    t.same(await exit, [0, null])
    logs.destroy()
    t.equal(output.stderr, '')
  })
}

t.test('a port that is none ends with a message', async t => {
  const { output, exit } = start(t, '--port', 'http')
  t.same(await exit, [1, null])
  t.match(output.stderr, /--port must be an integer from 0 to 65535, not http/)
})
