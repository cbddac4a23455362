import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../../tools/shared/root.js'
import { openapiDocument } from '../../../tools/build/openapi-document.js'

/** Called by other servers, which no limit for one address holds for. */
const FOR_SERVERS = ['/metering/access-logs', '/metering/firehose', '/authorize']
/** Firehose would lose for good what is answered with 413. */
const WITHOUT_413 = ['/metering/firehose']

interface Operation {
  operationId?: string,
  parameters?: Array<{ in: string, name: string }>,
  tags?: string[],
  summary?: string,
  responses: Record<string, unknown>
}

t.test('openapi.json is the document of this source: npm run openapi writes it', async t => {
  t.equal(await readFile(join(ROOT, 'openapi.json'), 'utf8'), await openapiDocument())
})

t.test('every route has an operationId of its own, tags and error answers', async t => {
  const document = JSON.parse(await openapiDocument()) as {
    openapi: string,
    paths: Record<string, Record<string, Operation>>,
    components: { schemas: Record<string, { examples?: unknown[] }> }
  }
  t.match(document.openapi, /^3\.1/)
  const ids = new Set<string>()
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { operationId, tags, summary, responses }] of Object.entries(operations)) {
      const name = `${method} ${path}`
      t.ok(operationId !== undefined && !ids.has(operationId), `${name} operationId`)
      ids.add(operationId!)
      t.equal(tags?.length, 1, `${name} tags`)
      t.ok(summary, `${name} summary`)
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
  }
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    t.notMatch(name, /^def-/)
    if (!/Query|Headers/.test(name)) t.ok(schema.examples, `${name} has examples`)
  }
})

t.test('headers are written in lower case, as they are compared', async t => {
  const { paths } = JSON.parse(await openapiDocument()) as { paths: Record<string, Record<string, Operation>> }
  const names = Object.values(paths).flatMap(
    operations =>
      Object.values(operations).flatMap(({ parameters = [] }) =>
        parameters.filter(parameter => parameter.in === 'header').map(({ name }) => name))
  )
  t.ok(names.length > 0)
  t.same(names, names.map(name => name.toLowerCase()))
})
