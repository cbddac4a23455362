import t from 'tap'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { BACKENDS, eventually, startGateway, type Gateway } from '../helpers/app.js'

const NOW = Date.now()
const ADMIN_TOKEN = 'admin-token-of-the-tests'

interface Answer {
  accepted: number
  rejected: Array<{ index: number, reason: string, message: string }>
  error?: { code: number }
}
type Directive = Record<string, unknown>

const directive = (given: Directive = {}): Directive => ({
  Namespace: 'shop',
  Dimensions: [['Page']],
  Metrics: [{ Name: 'Load', Unit: 'Milliseconds' }],
  ...given
})
const metadata = (given: Directive = {}) => ({ Timestamp: NOW, CloudWatchMetrics: [directive(given)] })
const embedded = (given: Directive = {}, members: object = {}) =>
  JSON.stringify({ _aws: metadata(given), Page: '/a', Load: 12, ...members })

/** Every way in which a log event holds metrics that CloudWatch would extract, or might. */
const DISGUISES = {
  plain: embedded(),
  'an escaped name': embedded().replace('_aws', '\\u005faws'),
  'an escaped name of the directives': embedded().replace('CloudWatchMetrics', 'Cloud\\u0057atchMetrics'),
  'leading space': ` \t\r\n${embedded()}`,
  'a byte order mark': `\ufeff${embedded()}`,
  'no-break space': `\u00a0\u2003${embedded()}`,
  'trailing space': `${embedded()}\n `,
  'text behind the object': `${embedded()} and more`,
  'another object behind it': `${embedded()}\n{"a":1}`,
  'the layout before': JSON.stringify({ Version: '0', ...metadata(), Page: '/a', Load: 12 }),
  'the layout before, without a version': JSON.stringify({ ...metadata(), Page: '/a', Load: 12 }),
  'a name twice, the last one harmless': embedded().replace(/}$/, ',"_aws":{}}'),
  'a name twice, the first one harmless': embedded().replace('{', '{"_aws":1,'),
  'directives twice': embedded().replace('"CloudWatchMetrics"', '"CloudWatchMetrics":[],"CloudWatchMetrics"'),
  'spaces and breaks': JSON.stringify(JSON.parse(embedded()), null, 2)
}
const HARMLESS = {
  text: 'the logs of _aws.CloudWatchMetrics',
  'a name further in': JSON.stringify({ detail: { _aws: metadata() } }),
  'in an array': `[${embedded()}]`,
  'in a string': JSON.stringify({ message: embedded() }),
  'without directives': JSON.stringify({ _aws: { region: 'eu-west-1' }, CloudWatch: 1 }),
  'no JSON': `{"_aws":{"CloudWatchMetrics":[${'{'.repeat(9)}`,
  'behind text': `INFO ${embedded()}`,
  'another case': embedded().replace('_aws', '_AWS')
}

function client ({ post, sandbox }: Gateway, authorization: string, group: string) {
  const send = async (messages: readonly string[], more: object = {}) => {
    const body = {
      logGroupName: group,
      logStreamName: 's',
      logEvents: messages.map(message => ({ message, timestamp: NOW })),
      ...more
    }
    const response = await post('/logEvents', body, { authorization })
    return { status: response.status, ...await response.json() as Answer }
  }
  return {
    send,
    delivered: async (count: number) => await eventually(() => {
      const messages = [...sandbox.items(group)].map(({ message }) => message)
      return messages.length >= count ? messages : undefined
    })
  }
}

for (const backend of BACKENDS) {
  t.test(`embedded metrics, ${backend}`, async t => {
    const file = await applicationsFile(t, [
      { id: 'refusing', namespaces: ['shop'], logGroups: ['*'] },
      { id: 'redacting', namespaces: ['shop'], logGroups: ['*'], redaction: { fields: ['password'] } },
      { id: 'neutral', namespaces: ['shop'], logGroups: ['*'], emf: 'neutralize' },
      {
        id: 'allowing',
        namespaces: ['shop', 'limited', 'series', 'names'],
        logGroups: ['*'],
        emf: 'allow',
        maxSeriesPerMetric: 3
      },
      {
        id: 'strict',
        namespaces: ['shop'],
        logGroups: ['*'],
        emf: 'allow',
        dimensions: { required: ['Page'], allowed: ['Page', 'Country'], unknown: 'drop' }
      }
    ])
    const gateway = await startGateway(
      t, { APPS_FILE: file.path, ADMIN_TOKEN, MAX_METRICS_PER_NAMESPACE: '4' }, backend
    )
    const as = async (id: string, group: string, claims: object = {}) => {
      const answer = await gateway.post('/token', { clientToken: clientJwt({ iss: id, ...claims }, secretOf(id)) })
      return client(gateway, `Bearer ${(await answer.json() as { accessToken: string }).accessToken}`, group)
    }

    t.test('by default every disguise of an embedded metric is refused, and nothing else', async t => {
      const { send, delivered } = await as('refusing', '/refuse')
      const bad = Object.values(DISGUISES)
      const { status, accepted, rejected } = await send([...Object.values(HARMLESS), ...bad])
      t.match({ status, accepted }, { status: 201, accepted: Object.keys(HARMLESS).length })
      t.equal(rejected.length, bad.length)
      for (const [i, name] of Object.keys(DISGUISES).entries()) {
        t.match(
          rejected[i],
          {
            index: Object.keys(HARMLESS).length + i,
            reason: 'invalid-item',
            message: /embedded metric \(EMF\).*allows no metrics/
          },
          name
        )
      }
      t.same(
        (await delivered(accepted)).sort(),
        Object.values(HARMLESS).map(text => text.toWellFormed()).sort(),
        'as it came'
      )
    })

    t.test('JSON lines are judged alike', async t => {
      const trade = await gateway.post('/token', { clientToken: clientJwt({ iss: 'refusing' }, secretOf('refusing')) })
      const { accessToken } = await trade.json() as { accessToken: string }
      const authorization = `Bearer ${accessToken}`
      const lines = [{ message: 'good' }, { message: embedded() }].map(line => JSON.stringify(line)).join('\n')
      const response = await gateway.post('/logEvents?logGroupName=/lines&logStreamName=s', lines, {
        authorization, 'content-type': 'application/x-ndjson'
      })
      t.match(await response.json(), { accepted: 1, rejected: [{ index: 1, reason: 'invalid-item' }] })
    })

    t.test('what redaction makes of a message is judged', async t => {
      const { send } = await as('redacting', '/redact')
      // No JSON, until the value that makes it none is redacted.
      t.match(await send([embedded().replace('{', '{"password":"\\x",')]), {
        status: 400, error: { code: 122 }, rejected: [{ reason: 'invalid-item', message: /EMF/ }]
      })
    })

    t.test('neutralized, a message keeps its content and holds no metrics, also in a request that would be stored as it came', async t => {
      const { send, delivered } = await as('neutral', '/neutral')
      const messages = Object.values(DISGUISES)
      t.match(await send(messages), { status: 201, accepted: messages.length, rejected: [] })
      const stored = await delivered(messages.length)
      t.equal(stored.length, messages.length)
      for (const message of stored) {
        const names: string[] = []
        try {
          JSON.parse(
            message.trim(), function (name, value) { if (this.Page !== undefined) names.push(name); return value }
          )
        } catch {}
        t.notMatch(message, /"(_|\\u005f)aws"/i, message.slice(0, 60))
        t.notOk(names.includes('CloudWatchMetrics'))
        t.match(message, /Milliseconds/, 'its content is there')
        t.match(message, /"Load":\s?12/)
      }
    })

    t.test('allowed, its metrics are held to the rules of POST /metric', async t => {
      const { send, delivered } = await as('allowing', '/allow')
      const more = (given: Directive, members: object = {}) => embedded(given, members)
      const named = (count: number) => Array.from({ length: count }, (_, i) => `d${i}`)
      const texts = (count: number) => Object.fromEntries(named(count).map(name => [name, 'v']))
      const good = [
        embedded(),
        more({ Dimensions: [[]] }),
        more({ Dimensions: [] }),
        more({}, { Load: [1, 2, 3] }),
        more({}, { Load: undefined }),
        more({ Dimensions: [named(30)] }, texts(30)),
        JSON.stringify({ Version: '0', ...metadata(), Page: '/a', Load: 12 })
      ]
      const bad: Array<[string, string, string, RegExp]> = [
        [
          'a namespace that the token may not write to',
          more({ Namespace: 'billing' }),
          'invalid-item',
          /namespace "billing", which the access token does not allow/
        ],
        ['a namespace of AWS', more({ Namespace: 'AWS/EC2' }), 'invalid-name', /AWS\//],
        ['a namespace with a character that is none of it', more({ Namespace: 'shop!' }), 'invalid-name', /letters/],
        ['no namespace', more({ Namespace: undefined }), 'invalid-item', /Namespace/],
        ['no dimensions', more({ Dimensions: undefined }), 'invalid-dimension', /Dimensions/],
        ['31 dimensions', more({ Dimensions: [named(31)] }, texts(31)), 'invalid-dimension', /at most 30/],
        [
          'a dimension that is no member',
          more({ Dimensions: [['Nothing']] }),
          'invalid-dimension',
          /"Nothing", which must be a member/
        ],
        [
          'a dimension that every object has',
          more({ Dimensions: [['constructor']] }),
          'invalid-dimension',
          /must be a member/
        ],
        ['a dimension that is a number', more({ Dimensions: [['Load']] }), 'invalid-dimension', /string/],
        ['a dimension twice', more({ Dimensions: [['Page', 'Page']] }), 'invalid-dimension', /repeat/],
        ['a blank dimension', more({}, { Page: ' ' }), 'invalid-dimension', /blank/],
        ['a dimension beyond ASCII', more({}, { Page: 'größe' }), 'invalid-dimension', /ASCII/],
        ['a dimension of 1,025 characters', more({}, { Page: 'x'.repeat(1_025) }), 'invalid-dimension', /at most 1024/],
        [
          'a name of 251 characters',
          more({ Dimensions: [['n'.repeat(251)]] }, { ['n'.repeat(251)]: 'v' }),
          'invalid-dimension',
          /at most 250/
        ],
        ['101 metrics', more({ Metrics: Array(101).fill({ Name: 'Load' }) }), 'invalid-item', /at most 100/],
        ['101 values', more({}, { Load: Array(101).fill(1) }), 'invalid-value', /at most 100/],
        ['a value that is a string', more({}, { Load: '12' }), 'invalid-value', /number/],
        ['a value near zero', more({}, { Load: [1, 1e-120] }), 'invalid-value', /2\^-360/],
        ['a unit that there is not', more({ Metrics: [{ Name: 'Load', Unit: 'ms' }] }), 'invalid-unit', /Unit/],
        [
          'a resolution of 10',
          more({ Metrics: [{ Name: 'Load', StorageResolution: 10 }] }),
          'invalid-value',
          /1 or 60/
        ],
        [
          'two resolutions',
          more({ Metrics: [{ Name: 'Load' }, { Name: 'Load', StorageResolution: 1 }] }),
          'invalid-value',
          /another StorageResolution/
        ],
        ['a name beyond ASCII', more({ Metrics: [{ Name: 'größe' }] }), 'invalid-name', /ASCII/],
        ['no time', embedded().replace(/"Timestamp":\d+,/, ''), 'invalid-timestamp', /Timestamp/],
        ['a time in text', embedded().replace(String(NOW), `"${NOW}"`), 'invalid-timestamp', /Timestamp/],
        ['15 days ago', embedded().replace(String(NOW), String(NOW - 15 * 86_400_000)), 'too-old', /14 days/],
        ['in 3 hours', embedded().replace(String(NOW), String(NOW + 3 * 3_600_000)), 'too-new', /2 hours/],
        ['a member twice', embedded().replace('{', '{"Page":"/b",'), 'invalid-item', /twice/],
        ['directives in both places', embedded().replace('{', '{"CloudWatchMetrics":[],'), 'invalid-item', /once/],
        ['text behind the object', `${embedded()} x`, 'invalid-item', /one JSON object/],
        [
          'more series than an event may make',
          more({ Dimensions: Array.from({ length: 1_001 }, (_, i) => [`d${i}`]) }, texts(1_001)),
          'invalid-item',
          /at most 1000 series/
        ]
      ]
      for (const [name, message, reason, text] of bad) {
        t.match((await send([message])).rejected, [{ index: 0, reason, message: text }], name)
      }
      t.match(await send(good), { status: 201, accepted: good.length, rejected: [] })
      t.same((await delivered(good.length)).sort(), [...good].sort(), 'as they came')
    })

    t.test('a token of narrower scope narrows the namespaces of embedded metrics, too', async t => {
      const { send } = await as('allowing', '/narrow', { scope: { namespaces: ['limited'] } })
      t.match(await send([embedded(), embedded({ Namespace: 'limited' })]), {
        accepted: 1, rejected: [{ index: 0, reason: 'invalid-item', message: /namespace "shop"/ }]
      })
    })

    t.test('beyond the limit on series a value becomes __other__, beyond that on names a name does', async t => {
      const { send, delivered } = await as('allowing', '/limits')
      const pages = Array.from({ length: 20 }, (_, i) =>
        embedded({ Namespace: 'series' }, { Page: `/${i}`, big: 12345678901234567890n.toString() }))
      t.match(await send(pages), { status: 201, accepted: 20 })
      const stored = (await delivered(20)).map(message => JSON.parse(message) as Record<string, unknown>)
      const values = stored.map(({ Page }) => Page)
      t.equal(new Set(values).size, 4)
      t.equal(values.filter(value => value === '__other__').length, 17)
      t.ok(stored.every(({ Load }) => Load === 12))

      const names = await as('allowing', '/names')
      const metrics = Array.from({ length: 12 }, (_, i) => ({ Name: `m${i}`, Unit: 'Count' }))
      const members = Object.fromEntries(metrics.map(({ Name }, i) => [Name, i]))
      t.match(await names.send([embedded({ Namespace: 'names', Metrics: metrics }, members)]), {
        status: 201, accepted: 1
      })
      const [message] = await names.delivered(1)
      const event = JSON.parse(message!) as {
        _aws: { CloudWatchMetrics: [{ Metrics: Array<{ Name: string, Unit: string }> }] }, __other__: number[]
      }
      const defined = event._aws.CloudWatchMetrics[0].Metrics
      t.same(defined.map(({ Name }) => Name), ['m0', 'm1', 'm2', 'm3', '__other__'])
      t.equal(defined.at(-1)!.Unit, 'Count')
      t.same(event.__other__, [4, 5, 6, 7, 8, 9, 10, 11], 'no value is lost')
    })

    t.test('the dimensions of embedded metrics follow the application', async t => {
      const { send, delivered } = await as('strict', '/strict')
      t.match((await send([embedded({ Dimensions: [['Country']] }, { Country: 'de' })])).rejected, [{
        reason: 'invalid-dimension', message: /must have the dimension "Page"/
      }])
      t.match(await send([embedded({ Dimensions: [['Page', 'User'], ['Page']] }, { User: 'u-1' })]), {
        status: 201, accepted: 1
      })
      const [message] = await delivered(1)
      t.match(JSON.parse(message!), {
        _aws: { Timestamp: NOW, CloudWatchMetrics: [{ Dimensions: [['Page']] }] }, User: 'u-1', Page: '/a'
      })
      t.notMatch(message, /\["Page","User"\]/)
    })

    t.test('the time of embedded metrics is moved with that of their event', async t => {
      const { send, delivered } = await as('allowing', '/clock')
      const wrong = Date.now() - 400 * 86_400_000
      const message = embedded().replace(String(NOW), String(wrong - 1_000))
      t.match(await send([], { sentAt: wrong, logEvents: [{ message, timestamp: wrong - 1_000 }] }), {
        status: 201, accepted: 1
      })
      const [stored] = await delivered(1)
      const { _aws: { Timestamp } } = JSON.parse(stored!) as { _aws: { Timestamp: number } }
      t.ok(Math.abs(Timestamp - Date.now()) < 120_000)
    })

    t.test('each of them is counted, and so are its series', async t => {
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
      const scrape = await (await fetch(`${gateway.url}/metrics`, { headers })).text()
      t.match(scrape, /embedded_metrics_total\{application="refusing",treatment="refuse"\} 1\d/)
      t.match(
        scrape,
        new RegExp(
          `embedded_metrics_total\\{application="neutral",treatment="neutralize"\\} ${Object.keys(DISGUISES).length}`
        )
      )
      t.match(scrape, /embedded_metrics_total\{application="allowing",treatment="allow"\}/)
      const { usage } = await (await fetch(`${gateway.url}/admin/usage`, { headers })).json() as {
        usage: Array<{ application: string, series: number }>
      }
      t.ok(usage.find(({ application }) => application === 'allowing')!.series >= 8)
    })
  })
}

t.test('EMF is the treatment of a gateway without APPS_FILE', async t => {
  const refusing = await startGateway(t)
  t.match(
    (await client(refusing, `Bearer ${await refusing.token()}`, '/g').send([embedded()])).rejected,
    [{ reason: 'invalid-item' }]
  )
  const allowing = await startGateway(t, { FORWARDER: 'off', EMF: 'allow' })
  t.match(await client(allowing, `Bearer ${await allowing.token()}`, '/g').send([embedded()]), {
    status: 201, accepted: 1
  })
  await t.rejects(startGateway(t, { EMF: 'yes' }), /EMF/)
})
