import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ROOT } from '../../../tools/shared/root.js'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { CLIENT_SECRET_KEY, startGateway } from '../../helpers/app.js'

const DOCUMENT = join(ROOT, 'openapi.json')
const run = promisify(execFile)

const COMPILER = {
  compilerOptions: {
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    target: 'ES2023',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    outDir: 'out',
    rootDir: '.'
  },
  include: ['**/*.ts']
}

/** A client of the generated types; the third argument of argv is where the gateway is. */
const TYPES_CLIENT = `
import type { paths } from './api.js'

type Body<P extends keyof paths> = paths[P] extends { post: { requestBody: { content: { 'application/json': infer B } } } } ? B : never
type Answer<P extends keyof paths> = paths[P] extends { post: { responses: { 201: { content: { 'application/json': infer A } } } } } ? A : never

async function post<P extends keyof paths> (path: P, body: Body<P>): Promise<Answer<P>> {
  const response = await fetch(process.argv[2]! + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  return await response.json() as Answer<P>
}

const { accessToken } = await post('/token', { clientToken: process.argv[3]! })
const answer = await post('/metric', { accessToken, params: { Namespace: 'typed', MetricData: [{ MetricName: 'm', Value: 1, Unit: 'Count' }] } })
// @ts-expect-error a unit that CloudWatch does not have
const wrong: Body<'/metric'> = { params: { Namespace: 'typed', MetricData: [{ MetricName: 'm', Value: 1, Unit: 'ms' }] } }
console.log(JSON.stringify({ accepted: answer.accepted, requestId: answer.ResponseMetadata.RequestId, wrong: wrong !== null }))
`

const SDK_CLIENT = `
import { createToken, putLogEvents } from './sdk/sdk.gen.js'
import { client } from './sdk/client.gen.js'

client.setConfig({ baseUrl: process.argv[2]! })
const token = await createToken({ body: { clientToken: process.argv[3]! }, throwOnError: true })
const { data } = await putLogEvents({
  auth: () => token.data.accessToken,
  body: { logGroupName: '/typed', logStreamName: 's', logEvents: [{ message: 'typed' }] },
  throwOnError: true
})
const refused = await putLogEvents({ body: { logGroupName: '/typed', logStreamName: 's', logEvents: [{ message: 'typed' }] } })
console.log(JSON.stringify({ accepted: data.accepted, requestId: data.ResponseMetadata.RequestId, code: refused.error?.error.code }))
`

t.test('generated clients compile and make a typed call', async t => {
  const { url } = await startGateway(t)
  const token = createClientToken(CLIENT_SECRET_KEY, Date.now(), 'salt')
  const clients = [
    {
      name: 'openapi-typescript',
      generate: ['openapi-typescript', DOCUMENT, '-o', 'api.d.ts'],
      source: TYPES_CLIENT,
      answer: { accepted: 1, requestId: String, wrong: true }
    },
    {
      name: '@hey-api/openapi-ts',
      generate: ['openapi-ts', '-i', DOCUMENT, '-o', 'sdk', '-c', '@hey-api/client-fetch', '--no-log-file'],
      source: SDK_CLIENT,
      answer: { accepted: 1, requestId: String, code: 110 }
    }
  ]
  for (const { name, generate, source, answer } of clients) {
    t.test(name, async t => {
      const folder = await mkdtemp(join(tmpdir(), 'postman-client-'))
      t.teardown(() => rm(folder, { recursive: true, force: true }))
      await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
      const bin = (command: string) => join(ROOT, 'tools/testing/packages/node_modules/.bin', command)
      await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(COMPILER))
      const [command, ...args] = generate as [string, ...string[]]
      await run(bin(command), args, { cwd: folder })
      await writeFile(join(folder, 'main.ts'), source)
      await run(bin('tsc'), ['-p', '.'], { cwd: folder }).catch((error: { stdout: string }) => t.fail(error.stdout))
      const { stdout } = await run(process.execPath, ['out/main.js', url, token], { cwd: folder })
      t.match(JSON.parse(stdout), answer)
    })
  }
})
