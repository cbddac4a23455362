import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ROOT } from '../../../tools/shared/root.js'

const run = promisify(execFile)
const ENV = { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' }

async function outputOf (command: string, ...args: string[]): Promise<string> {
  const program = join(ROOT, 'tools/testing/packages/node_modules/.bin', command)
  const { stdout, stderr } = await run(program, args, { cwd: ROOT, env: ENV })
    .catch((error: { stdout: string, stderr: string }) => error)
  return stdout + stderr
}

t.test('openapi.json is valid OpenAPI 3.1', async t => {
  t.match(JSON.parse(await outputOf('validate-api', 'openapi.json')), { valid: true })
})

t.test('Redocly finds nothing in openapi.json', async t => {
  const output = await outputOf('redocly', 'lint', 'openapi.json', '--format=stylish')
  t.match(output, /Your API description is valid/)
  t.notMatch(output, /\d+ (error|warning)/)
})

t.test('Spectral finds nothing in openapi.json', async t => {
  const output = await outputOf('spectral', 'lint', 'openapi.json', '--fail-severity=hint')
  t.match(output, /No results with a severity of 'hint'/)
})
