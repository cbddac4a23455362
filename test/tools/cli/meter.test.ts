import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import t, { type Test } from 'tap'
import { startPlatform } from '../../../tools/sandbox/platform/platform-server.js'
import { startMotoProcess } from '../../../tools/shared/processes.js'
import { accessLogLine, accessLogLines, meteredCall } from '../../helpers/metering.js'

const MAIN = fileURLToPath(new URL('../../../tools/cli/main.js', import.meta.url))

async function open (t: Test) {
  const platform = await startPlatform()
  t.teardown(() => platform.close())
  async function meter (
    args: string[], { input = '', env = {} }: { input?: string, env?: Record<string, string> } = {}
  ) {
    const child = spawn(process.execPath, [MAIN, 'meter', ...args], {
      env: {
        ...process.env,
        REVENIUM_PLATFORM_API: platform.urls['v1-meter'],
        REVENIUM_PLATFORM_API_KEY: 'hak_sandbox',
        ...env
      }
    })
    t.teardown(() => child.kill('SIGKILL'))
    const output = { stdout: '', stderr: '', code: 0 }
    child.stdout.setEncoding('utf8').on('data', (text: string) => { output.stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { output.stderr += text })
    child.stdin.end(input)
    const [code] = await once(child, 'close') as [number]
    return { ...output, code }
  }
  return { platform, meter }
}

/** Of the first line the values can be read only when all of it is JSON. */
const LINES = [
  ...accessLogLines(3).map((line, index) => index === 0 ? `{"labels":{},${line.slice(1)}` : line),
  accessLogLine({ extendedRequestId: 'X0' }), 'not JSON',
  accessLogLine({ extendedRequestId: 'away', status: '403', integrationStatus: '-', integrationLatency: '-' }), ''
].join('\n')

t.test('shows what would be metered, skipped or made a dead letter, and sends nothing', async t => {
  const { platform, meter } = await open(t)
  const { stdout, code } = await meter([], { input: LINES, env: { REVENIUM_PLATFORM_API_KEY: '' } })
  t.equal(code, 0)
  const lines = stdout.trim().split('\n')
  t.equal(lines.filter(line => line.startsWith('event  ')).length, 3)
  t.match(JSON.parse(lines.find(line => line.startsWith('event  '))!.slice(7)), {
    application: 'acme', responseCode: 200, url: '/orders/7'
  })
  t.match(stdout, /^skip {3}turned-away: GET \/orders\/7 403$/m)
  t.match(stdout, /^letter the line is not a JSON object: not JSON$/m)
  t.match(lines.at(-1), /3 events, 1 duplicates, 1 skipped, 1 unreadable; nothing was sent/)
  t.strictSame(platform.ledger().calls, {})
})

t.test('sends when asked, from a file, once however often it is asked', async t => {
  const { platform, meter } = await open(t)
  const file = join(t.testdir({}), 'access.log')
  await writeFile(file, `\uFEFF${LINES}`)
  for (let time = 0; time < 2; time++) {
    t.match(await meter(['--send', file]), {
      code: 0, stdout: /3 of 3 events sent, 0 refused, 0 left, 1 duplicates, 1 skipped, 1 unreadable/
    })
  }
  t.match(platform.ledger(), { metered: 3, duplicates: 3 })
  platform.faults.set([{ kind: 'answer', status: 422, message: 'no such product' }])
  t.match(await meter(['--send', file]), { code: 1, stdout: /refused {2}HTTP 422 .*no such product/ })
})

t.test('what was typed wrong is said', async t => {
  const { meter } = await open(t)
  t.match(await meter(['missing.log']), { code: 1, stderr: /ENOENT.*missing\.log/ })
  t.match(await meter(['--reason', 'refused']), { code: 2, stderr: /--reason goes with --queue/ })
  t.match(await meter(['--queue', 'http://127.0.0.1/q', 'file']), { code: 2, stderr: /either files or --queue/ })
  t.match(await meter(['--send'], { env: { REVENIUM_PLATFORM_API_KEY: '' } }), {
    code: 1, stderr: /REVENIUM_PLATFORM_API_KEY/
  })
  t.match(await meter([], { env: { METERING_PROFILE: 'v3' }, input: LINES }), {
    code: 1, stderr: /METERING_PROFILE must be one of/
  })
})

t.test('dead letters of a queue are shown and left, or metered and deleted, those of one reason alone', async t => {
  if (spawnSync('moto_server', ['--version'], { stdio: 'ignore' }).error !== undefined && process.env.CI !== 'true') {
    t.comment('SKIPPED: moto_server is not installed; pip install \'moto[server]\'')
    return
  }
  const { url: endpoint, stop } = await startMotoProcess()
  t.teardown(() => stop())
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test'
  }
  const sqs = new SQSClient({
    endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }
  })
  t.teardown(() => sqs.destroy())
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'dead-letters' }))
  const messages = [
    { v: 1, reason: 'refused', message: 'no such product', calls: [meteredCall('a'), meteredCall('b')] },
    { v: 1, reason: 'exhausted', message: 'HTTP 503', calls: [meteredCall('c')] },
    { v: 1, reason: 'unreadable', message: 'no JSON', lines: [{ text: 'x', origin: { key: 'k', timestamp: 0 } }] },
    'somebody else\'s'
  ]
  for (const message of messages) {
    await sqs.send(new SendMessageCommand({
      QueueUrl, MessageBody: typeof message === 'string' ? message : JSON.stringify(message)
    }))
  }
  const waiting = async (): Promise<unknown> =>
    (await sqs.send(new GetQueueAttributesCommand({
      QueueUrl, AttributeNames: ['ApproximateNumberOfMessages']
    }))).Attributes?.ApproximateNumberOfMessages
  const { platform, meter } = await open(t)

  t.match(await meter(['--queue', QueueUrl!], { env }), {
    code: 0, stdout: /3 events, 0 duplicates, 0 skipped, 1 unreadable; nothing was sent/
  })
  t.equal(await waiting(), '4', 'all are given back')
  t.strictSame(platform.ledger().calls, {})

  t.match(await meter(['--queue', QueueUrl!, '--reason', 'refused', '--send'], { env }), {
    code: 0, stdout: /2 of 2 events sent/
  })
  t.equal(await waiting(), '3')
  platform.faults.set([{ kind: 'answer', status: 409 }])
  t.match(await meter(['--queue', QueueUrl!, '--send'], { env }), {
    code: 1, stdout: /0 of 1 events sent, 0 refused, 1 left/
  })
  t.equal(await waiting(), '3', 'what is not metered stays')
  platform.faults.clear()
  t.match(await meter(['--queue', QueueUrl!, '--send'], { env }), {
    code: 0, stdout: /keep {3}the message is not a JSON object/
  })
  t.equal(await waiting(), '2')
  t.equal(platform.ledger().metered, 3)
})
