import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ROOT } from '../../../tools/shared/root.js'

const run = promisify(execFile)

t.test('openapi.json lints clean', async t => {
  const { stdout, stderr } = await run(
    join(ROOT, 'tools/testing/packages/node_modules/.bin/redocly'),
    ['lint', 'openapi.json', '--format=stylish'],
    { cwd: ROOT, env: { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' } }
  )
    .catch((error: { stdout: string, stderr: string }) => error)
  t.match(stdout + stderr, /Your API description is valid/)
  t.notMatch(stdout + stderr, /\d+ (error|warning)/)
})
