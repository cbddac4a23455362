import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { openapiDocument } from '../../../tools/build/openapi-document.js'
import { isObject } from '../../../lib/guards.js'
import { FORMATS } from '../../../tools/fuzz/judge.js'
import { ROOT } from '../../../tools/shared/root.js'

/** Called by other servers, which no limit for one address holds for. */
const FOR_SERVERS = ['/metering/access-logs', '/metering/firehose', '/authorize']
/** Firehose would lose for good what is answered with 413. */
const WITHOUT_413 = ['/metering/firehose']
/** Names that a generated client could not declare without hiding those of the language. */
const TAKEN_NAMES = ['Error', 'Object', 'Array', 'Map', 'Set', 'Date', 'Promise', 'Record', 'Response', 'Request']
/** Generated clients name their functions by these: none is ever renamed. */
const OPERATION_IDS = [
  'authorizeClient', 'createToken', 'deleteDeadLetters', 'getDeadLetter', 'getHealth', 'getLiveness', 'getMetrics',
  'getReadiness', 'getUsage', 'listDeadLetters', 'listRevocations', 'putAccessLogs', 'putFirehoseRecords',
  'putLogEvents', 'putMetric', 'redriveDeadLetters', 'revokeTokens', 'sendTestMetric'
]
/** The fields that say when something was; on another day their example would be wrong. */
const TIMES = ['timestamp', 'Timestamp', 'sentAt', 'issuedBefore']

interface Schema { examples?: unknown[], example?: unknown, $ref?: string }

interface Answer { headers?: Record<string, { $ref?: string }> }

interface Operation {
  operationId?: string
  parameters?: Array<{ in: string, name: string }>
  tags?: string[]
  summary?: string
  description?: string
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, Answer>
}

interface Document {
  openapi: string
  servers: Array<{ url: string, variables?: Record<string, { default: string }> }>
  tags: Array<{ name: string }>
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>, headers: Record<string, { schema: Schema, description?: string }> }
}

const text = await openapiDocument()
const document = JSON.parse(text) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, method, ...operation })))

t.test('openapi.json is the document of this source: npm run openapi writes it', async t => {
  t.equal(await readFile(join(ROOT, 'openapi.json'), 'utf8'), text)
})

t.test('every operation has its operationId, a description, a tag, and error answers', async t => {
  t.match(document.openapi, /^3\.1/)
  t.same(operations.map(({ operationId }) => operationId).sort(), OPERATION_IDS)
  const tags = document.tags.map(({ name }) => name)
  for (const { name, path, method, responses, ...operation } of operations) {
    t.ok(operation.tags?.length === 1 && tags.includes(operation.tags[0]!), `${name} tags`)
    t.ok(operation.summary, `${name} summary`)
    t.ok(operation.description, `${name} description`)
    const statuses = Object.keys(responses)
    t.ok(statuses.some(status => status.startsWith('2')), `${name} success`)
    if (!path.startsWith('/health')) {
      t.ok(
        statuses.includes(FOR_SERVERS.includes(path) ? '503' : '429') && statuses.includes('500'), `${name} errors`
      )
    }
    if (method === 'post') {
      t.ok(statuses.includes('413') !== WITHOUT_413.includes(path) && statuses.includes('415'), `${name} body errors`)
    }
  }
})

t.test('no schema has the name of something in the language, and each has an example', async t => {
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    t.notOk(/^def-/.test(name) || TAKEN_NAMES.includes(name), name)
    if (!/Query|Headers/.test(name)) t.ok(schema.examples, `${name} has examples`)
  }
})

t.test('the names of an operation stand once, and an alias of its path is in its description', async t => {
  t.notOk(document.paths['/metrics']!.post)
  t.match(document.paths['/metric']!.post!.description, /POST \/metrics/)
})

t.test('the server is a variable, so that a generated client can be given its gateway', async t => {
  const [server] = document.servers
  t.equal(document.servers.length, 1)
  t.match(server, { url: '{gateway}', variables: { gateway: { default: 'http://localhost:8080' } } })
})

t.test('each header of answers is declared once, and referred to', async t => {
  const { headers } = document.components
  const used = new Set<string>()
  for (const { name, responses } of operations) {
    for (const [status, answer] of Object.entries(responses)) {
      for (const [header, { $ref }] of Object.entries(answer.headers ?? {})) {
        if ($ref !== `#/components/headers/${header}` || headers[header] === undefined) {
          t.fail(`${name} ${status} ${header}`)
        }
        used.add(header)
      }
    }
  }
  t.same([...used].sort(), Object.keys(headers).sort())
  for (const [name, { description }] of Object.entries(headers)) t.ok(description, name)
})

t.test('every 429 and 503 says when to come back, but for readiness', async t => {
  for (const { name, path, responses } of operations) {
    for (const status of ['429', '503']) {
      if (responses[status] === undefined) continue
      const says = responses[status].headers?.['Retry-After'] !== undefined
      t.equal(says, path !== '/health/ready' || status === '429', `${name} ${status}`)
    }
  }
})

t.test('every example is one that its schema takes', async t => {
  const ajv = new Ajv2020({ strict: false, formats: FORMATS })
  ajv.addSchema({ components: document.components }, 'document')
  let examples = 0

  function check (schema: object, example: unknown, where: string): void {
    const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object)
    t.ok(validate(example), `${where} ${ajv.errorsText(validate.errors)}`)
    examples++
  }

  /** Schemas have examples; parameters and media types have one beside their schema. */
  function walk (node: unknown, where: string): void {
    if (Array.isArray(node)) {
      node.forEach((item, i) => walk(item, `${where}/${i}`))
      return
    }
    if (!isObject(node)) return
    const schema = isObject(node.schema) ? node.schema : node
    if (Array.isArray(node.examples)) for (const example of node.examples) check(schema, example, where)
    if (Object.hasOwn(node, 'example')) check(schema, node.example, where)
    for (const [key, value] of Object.entries(node)) {
      if (key !== 'examples' && key !== 'example') walk(value, `${where}/${key}`)
    }
  }
  walk(document, '#')
  t.ok(examples > Object.keys(document.components.schemas).length)
})

t.test('no example of a request has a time, which would be too old one day', async t => {
  const timesIn = (value: unknown): string[] => Array.isArray(value)
    ? value.flatMap(timesIn)
    : isObject(value)
      ? Object.entries(value).flatMap(([key, inner]) => [...(TIMES.includes(key) ? [key] : []), ...timesIn(inner)])
      : []
  const bodies = operations.flatMap(({ requestBody }) => Object.values(requestBody?.content ?? {}))
  const named = bodies.flatMap(({ schema: { $ref } }) =>
    $ref === undefined ? [] : [document.components.schemas[$ref.split('/').at(-1)!]!])
  const { LogEvent, MetricDatum } = document.components.schemas
  for (const { examples } of [...named, LogEvent!, MetricDatum!]) t.same(timesIn(examples), [])
  for (const body of bodies) {
    if ('example' in body) t.notMatch(JSON.stringify(body.example), new RegExp(TIMES.join('|')))
  }
})

t.test('headers of requests are written in lower case, as they are compared', async t => {
  const names = operations.flatMap(({ parameters = [] }) =>
    parameters.filter(parameter => parameter.in === 'header').map(({ name }) => name))
  t.ok(names.length > 0)
  t.same(names, names.map(name => name.toLowerCase()))
})
