import { gzipSync } from 'node:zlib'
import t from 'tap'
import { MAX_LOG_STREAMS } from '../../../lib/intake/log-lines.js'
import { MAX_UNREADABLE_LINES } from '../../../lib/intake/json-lines.js'
import { MAX_JSON_LINES } from '../../../schemas/log-lines.js'
import { BACKENDS, eventually, startGateway } from '../../helpers/app.js'

const TYPE = { 'content-type': 'application/x-ndjson' }
const EVENTS = '/logEvents?logGroupName=/lines&logStreamName=s'

interface Answer {
  ResponseMetadata: { RequestId: string },
  accepted: number,
  rejected: Array<{ index: number, reason: string, message: string }>
}

const lines = (...documents: unknown[]) =>
  documents.map(document => typeof document === 'string' ? document : JSON.stringify(document)).join('\n')
const request = (logGroupName: string, ...messages: string[]) => ({
  logGroupName, logStreamName: 's', logEvents: messages.map(message => ({ message }))
})

for (const backend of BACKENDS) {
  t.test(`JSON lines, ${backend}`, async t => {
    const { post, token, sandbox, url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '0' }, backend)
    const accessToken = await token()
    const headers = { ...TYPE, authorization: `Bearer ${accessToken}` }
    const send = async (path: string, body: string, more: Record<string, string> = {}) => {
      const response = await post(path, body, { ...headers, ...more })
      return {
        status: response.status,
        replayed: response.headers.get('idempotency-replayed'),
        applied: response.headers.get('preference-applied'),
        ...await response.json() as Answer & { error?: { code: number, message: string } }
      }
    }
    const delivered = (group: string, ...messages: string[]) => eventually(() => {
      const found = [...sandbox.items(group)].map(({ message }) => message)
      return messages.every(message => found.includes(message)) ? found : undefined
    })

    t.test('with a log stream in the query each line is an event', async t => {
      const answer = await send(
        EVENTS,
        lines(
          { message: 'one' },
          '',
          { message: 'two', timestamp: Date.now() },
          'rubbish',
          { message: '' },
          '5',
          { message: 'three', level: 1 },
          '{"__proto__":{"message":"x"}}',
          { message: 'four' }
        ) + '\r\n'
      )
      t.match(answer, { status: 201, accepted: 3 })
      t.same(
        answer.rejected.map(({ index, reason }) => [index, reason]),
        [2, 3, 4, 5, 6].map(index => [index, 'invalid-item'])
      )
      for (const { index, message } of answer.rejected) t.match(message, `logEvents[${index}]`)
      t.same((await delivered('/lines', 'four')).sort(), ['four', 'one', 'two'])
    })

    t.test('else each line is a request of its own, and indexes count over all events', async t => {
      const { status, accepted, rejected } = await send('/logEvents', lines(
        request('/l1', 'a', ''), // 0, 1
        'rubbish', // 2
        request('/l2', 'b', 'c'), // 3, 4
        { logGroupName: '/l1' }, // 5
        request('bad name', 'd', 'e'), // 6, 7
        request('/l1', 'f', '') // 8, 9
      ))
      t.match({ status, accepted }, { status: 201, accepted: 4 })
      t.same(rejected.map(({ index }) => index), [1, 2, 5, 6, 7, 9])
      const message = (index: number) => rejected.find(item => item.index === index)!.message
      t.match(message(1), 'logEvents[1].message must not be empty')
      t.match(message(2), 'document 1 cannot be read as JSON')
      t.match(message(5), /document 3 is wrong at logStreamName/)
      t.match(message(6), /logGroupName must be made of/)
      t.match(message(9), 'logEvents[9].message must not be empty')
      await delivered('/l1', 'a', 'f')
      await delivered('/l2', 'b', 'c')
    })

    t.test('application/jsonl is the same, compressed or not', async t => {
      t.match(await send(EVENTS, lines({ message: 'jsonl' }), { 'content-type': 'application/jsonl' }), {
        status: 201, accepted: 1
      })
      const response = await fetch(url + EVENTS, {
        method: 'POST',
        headers: { ...headers, 'content-encoding': 'gzip' },
        body: gzipSync(lines({ message: 'gz 1' }, { message: 'gz 2' }))
      })
      t.match(await response.json(), { accepted: 2 })
      await delivered('/lines', 'jsonl', 'gz 1', 'gz 2')
    })

    t.test('nothing that can be taken is an error, which says why', async t => {
      t.match(await send(EVENTS, lines('rubbish', { message: '' })), {
        status: 400,
        error: { code: 122 },
        accepted: 0,
        rejected: [{ index: 0 }, { index: 1 }]
      })
      t.match(await send('/logEvents', lines('rubbish', request('bad name', 'd'))), {
        status: 400,
        error: { code: 122 },
        accepted: 0,
        rejected: [{ index: 0 }, { index: 1 }]
      })
      t.match(await send('/logEvents', '\n\n'), { status: 400, error: { code: 121 } })
      t.match(await send('/logEvents', ''), { status: 400 })
      t.match(await send('/logEvents?logGroupName=/lines', lines({ message: 'm' })), {
        status: 400, error: { code: 121, message: /both logGroupName and logStreamName/ }
      })
      t.match(await send(`${EVENTS}&logGroupName=/other`, lines({ message: 'm' })), {
        status: 400, error: { code: 121, message: /logGroupName must be string/ }
      })
    })

    t.test('a line whose sentAt is a deep nest is refused alone', async t => {
      // A document that is no request counts as one, however many log events it has.
      const deep = JSON.stringify(request('/deep', 'lost', 'too')).replace(
        /}$/, `,"sentAt":${'['.repeat(8_000)}${']'.repeat(8_000)}}`
      )
      const answer = await send('/logEvents', `${deep}\n${lines(request('/deep', 'kept'))}`)
      t.match(answer, { status: 201, accepted: 1, rejectedCount: { 'invalid-item': 1 } })
      t.match(answer.rejected, [{ index: 0, reason: 'invalid-item', message: /^document 0 .*sentAt/ }])
      t.match(await send('/logEvents', deep), { status: 400, error: { code: 122 } })
      t.match(await send(EVENTS, `{"message":${'['.repeat(8_000)}${']'.repeat(8_000)}}`), {
        status: 400, error: { code: 122 }
      })
    })

    t.test('a body of rubbish, or of too many lines or streams, is refused whole', async t => {
      t.match(await send(EVENTS, 'x\n'.repeat(MAX_UNREADABLE_LINES + 1)), { status: 400, error: { code: 120 } })
      t.match(await send(EVENTS, '{}\n'.repeat(MAX_JSON_LINES + 1)), { status: 413, error: { code: 130 } })
      t.match(
        await send(
          '/logEvents', lines(...Array.from({ length: MAX_LOG_STREAMS + 1 }, (_, n) => request(`/many/${n}`, 'm')))
        ),
        { status: 400, error: { code: 121, message: /at most 100 log streams/ } }
      )
    })

    t.test('the token may be in the documents', async t => {
      const bare = { authorization: '' }
      t.match(await send('/logEvents', lines({ ...request('/l3', 'a'), accessToken }, request('/l3', 'b')), bare), {
        status: 201, accepted: 2
      })
      t.match(
        await send(
          '/logEvents',
          lines({ ...request('/l3', 'a'), accessToken }, { ...request('/l3', 'b'), accessToken: 'other' }),
          bare
        ),
        { status: 401, error: { code: 111 } }
      )
      t.match(await send('/logEvents', lines({ ...request('/l3', 'a'), accessToken: 'forged' })), {
        status: 401, error: { code: 111 }
      })
      t.match(await send('/logEvents', lines(request('/l3', 'b')), bare), { status: 403, error: { code: 110 } })
    })

    t.test('waits for all deliveries of the request', async t => {
      const answer = await send(
        '/logEvents', lines(request('/w1', 'a', ''), request('/w2', 'b')), { prefer: 'wait=10' }
      )
      t.match(answer, { status: 201, applied: 'wait=10', accepted: 2, rejected: [{ index: 1 }] })
      t.equal([...sandbox.items('/w1')].length + [...sandbox.items('/w2')].length, 2)
    })

    t.test('a key that was used for another body is refused', async t => {
      t.match(
        await send('/logEvents', lines(request('/reused', 'a', '', ''), request('/other', 'b')), {
          'idempotency-key': 'reused'
        }),
        { status: 201, accepted: 2 }
      )
      for (const body of [
        lines(request('/reused', 'a')),
        lines(request('/reused', 'a', '', ''), request('/third', 'b')),
        lines(request('/reused', 'a', '', ''), request('/other', 'b'), request('/other', 'c'))
      ]) {
        t.match(await send('/logEvents', body, { 'idempotency-key': 'reused' }), { status: 422, error: { code: 125 } })
      }
    })

    t.test('a repeated body is the same with other clocks, and as one document', async t => {
      const clocked = (message: string, sentAt: number) => ({ ...request('/i3', message), sentAt })
      t.match(
        await send('/logEvents', lines(clocked('a', Date.now()), clocked('b', Date.now() + 1)), {
          'idempotency-key': 'clocks'
        }),
        { status: 201, replayed: null, accepted: 2 }
      )
      t.match(
        await send('/logEvents', lines(clocked('a', Date.now() + 2), clocked('b', Date.now() + 2)), {
          'idempotency-key': 'clocks'
        }),
        { status: 201, replayed: 'true', accepted: 2 }
      )
      t.match(
        await send('/logEvents', JSON.stringify(request('/i3', 'a', 'b')), {
          'idempotency-key': 'clocks', 'content-type': 'application/json'
        }),
        { status: 201, replayed: 'true', accepted: 2 }
      )
      t.match(
        await send('/logEvents?logGroupName=/i3&logStreamName=s', lines({ message: 'a' }, { message: 'b' }), {
          'idempotency-key': 'clocks'
        }),
        { status: 201, replayed: 'true', accepted: 2 }
      )
    })

    t.test('is stored once under one Idempotency-Key', async t => {
      const body = lines(request('/i1', 'a'), request('/i2', 'b', ''))
      const first = await send('/logEvents', body, { 'idempotency-key': 'k' })
      const second = await send('/logEvents', body, { 'idempotency-key': 'k' })
      t.match(first, { status: 201, replayed: null, accepted: 2, rejected: [{ index: 2 }] })
      t.match(second, { status: 201, replayed: 'true', accepted: 2, rejected: [{ index: 2 }] })
      await delivered('/i1', 'a')
      await delivered('/i2', 'b')
      await new Promise(resolve => setTimeout(resolve, 200))
      t.equal([...sandbox.items('/i1')].length + [...sandbox.items('/i2')].length, 2)
    })
  })
}
