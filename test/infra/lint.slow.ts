import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

const FOLDER = join(ROOT, 'infra')
const run = promisify(execFile)

t.test('cfn-lint finds nothing', async t => {
  const installed = await run('cfn-lint', ['--version']).then(() => true, () => false)
  if (!installed && process.env.CI !== 'true') {
    t.comment('SKIPPED: cfn-lint is not installed; pip install cfn-lint')
    return
  }
  t.ok(installed, 'cfn-lint is installed')
  const files = readdirSync(FOLDER).filter(file => /^(metering|gateway)\b.*\.yaml$/.test(file))
    .map(file => join(FOLDER, file))
  t.equal(files.length, 5)
  const found = await run('cfn-lint', ['--format', 'parseable', ...files]).then(
    ({ stdout }) => stdout, (error: { stdout: string, message: string }) => error.stdout || error.message
  )
  t.equal(found, '')
})
