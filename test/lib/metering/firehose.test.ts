import { gzipSync } from 'node:zlib'
import t from 'tap'
import { readFirehoseDelivery } from '../../../lib/metering/firehose.js'
import { accessLogLine, envelope, pack } from '../../helpers/metering.js'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const read = (...records: unknown[]) => readFirehoseDelivery({ requestId: 'r1', timestamp: 5, records })

t.test('a record holds the lines of an access log, or an envelope of CloudWatch Logs', async t => {
  const { lines, unreadable } = await read(
    base64(`${accessLogLine()}\n`), base64('two\r\nthree\n\n'), pack(envelope(['four']))
  )
  t.strictSame(lines.map(({ text }) => text), [accessLogLine(), 'two', 'three', 'four'])
  t.strictSame(unreadable, [])
})

t.test('objects without a line between them are lines of their own', async t => {
  const [one, two, three] = ['A', 'B', 'C'].map(
    extendedRequestId => accessLogLine({ extendedRequestId, userAgent: 'a }{ "b"' })
  ) as [string, string, string]
  for (const text of [
    one + two + three,
    `${one}${two}\n${three}\n`,
    JSON.stringify(JSON.parse(one), null, 2) + two + three
  ]) {
    const { lines, unreadable } = await read(base64(text))
    t.strictSame(
      lines.map(({ text }) => (JSON.parse(text) as { extendedRequestId: string }).extendedRequestId), ['A', 'B', 'C']
    )
    t.equal(new Set(lines.map(({ origin }) => origin.key)).size, 3)
    t.strictSame(unreadable, [])
  }
  const broken = accessLogLine({ userAgent: 'AGENT' }).replace('AGENT', 'x" y')
  t.strictSame((await read(base64(`${broken}\n${one}${two}`))).lines.map(({ text }) => text), [broken, one, two])
})

t.test('a record may hold several envelopes, as members of gzip or decompressed', async t => {
  const [one, two] = ['one', 'two'].map(
    message => JSON.stringify(envelope([message], { logStream: message }))
  ) as [string, string]
  const probe = JSON.stringify(envelope(['x'], { messageType: 'CONTROL_MESSAGE' }))
  const members = Buffer.concat([gzipSync(one), gzipSync(probe), gzipSync(two)]).toString('base64')
  for (const record of [members, base64(one + probe + two), base64(`${one}\n${probe}\n${two}\n`), pack(one + two)]) {
    const { lines, unreadable } = await read(record)
    t.strictSame(lines.map(({ text }) => text), ['one', 'two'])
    t.equal(new Set(lines.map(({ origin }) => origin.key)).size, 2)
    t.strictSame(unreadable, [])
  }
  const { lines, unreadable } = await read(base64(`${one}{"messageType":"DATA_MESSAGE"}${two}`))
  t.strictSame([lines.length, unreadable.length], [2, 1])
})

t.test('a caller makes no envelope of its line', async t => {
  const forged = accessLogLine({ userAgent: 'AGENT' }).replace(
    'AGENT',
    `x","messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","message":"${'{}'}"}],"z":"`
  )
  t.strictSame((await read(base64(forged))).lines.map(({ text }) => text), [forged])
})

t.test('each line has an origin of its own, the same when the delivery is tried again', async t => {
  const records = Array.from({ length: 20 }, () => base64('a\nb'))
  const { lines } = await read(...records)
  t.equal(new Set(lines.map(({ origin }) => origin.key)).size, 40)
  t.strictSame((await read(...records)).lines, lines)
})

t.test('a probe holds no line', async t => {
  t.strictSame(await read(pack(envelope(['x'], { messageType: 'CONTROL_MESSAGE' }))), { lines: [], unreadable: [] })
})

t.test('a record that cannot be read costs no other', async t => {
  const whole = gzipSync(JSON.stringify(envelope(['x'])))
  const bad = [
    undefined,
    7,
    '!!!',
    whole.subarray(0, 30).toString('base64'),
    pack('not JSON'),
    gzipSync(Buffer.alloc(64_000_000)).toString('base64')
  ]
  const { lines, unreadable } = await read(...bad, base64('good'))
  t.strictSame(lines.map(({ text }) => text), ['good'])
  t.equal(unreadable.length, bad.length)
  for (const { line } of unreadable) t.ok(line.length < 10_000)
})

t.test('a record may have more lines than a function takes arguments', async t => {
  const { lines } = await read(base64('x\n'.repeat(500_000)))
  t.equal(lines.length, 500_000)
  const { unreadable } = await read(pack({
    messageType: 'DATA_MESSAGE',
    owner: '1',
    logGroup: 'g',
    logStream: 's',
    logEvents: new Array(200_000).fill(0).map((_, index) => index % 97)
  }))
  t.equal(unreadable.length, 200_000)
})

t.test('a delivery inflates to so much, and holds so many lines, whatever its records say', async t => {
  const member = gzipSync(Buffer.alloc(20 * 1_048_576, ' '), { level: 1 }).toString('base64')
  const startedAt = process.memoryUsage().rss
  await t.rejects(read(...Array(40).fill(member)), { name: 'DeliveryTooLargeError', message: /67108864 bytes/ })
  t.ok(process.memoryUsage().rss - startedAt < 300 * 1_048_576)
  const record = Buffer.concat(Array(20).fill(Buffer.from(member, 'base64'))).toString('base64')
  const { unreadable: [bomb] } = await read(record)
  t.match(bomb, { message: /more than \d+ bytes after decompression/ }, 'nothing inflates 400 MiB')
  const plain = base64(' '.repeat(30 * 1_048_576))
  await t.rejects(read(plain, plain, plain), { name: 'DeliveryTooLargeError', message: /67108864 bytes/ })
  await t.rejects(read(base64('a\n'.repeat(1_100_000))), {
    name: 'DeliveryTooLargeError', message: /1000000 lines and objects/
  })
  await t.rejects(read(base64('{}'.repeat(1_100_000))), {
    name: 'DeliveryTooLargeError', message: /1000000 lines and objects/
  })
  await t.rejects(read(...Array(3).fill(base64('a\n'.repeat(200_000)))), {
    name: 'DeliveryTooLargeError', message: /500000 lines/
  })
  const { unreadable } = await read(pack({ ...envelope(['x']), logEvents: Array(500_001).fill(0) }))
  t.match(unreadable, [{ message: /more than 500000 log events/ }])
  t.equal(unreadable.length, 1)
})
