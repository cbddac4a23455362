import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { BUILD } from '../../../tools/shared/root.js'

const SECRET = 'secret-of-the-client'
const run = promisify(execFile)

t.test('a command reads the first variable of a .env with a byte order mark', async t => {
  const cwd = t.testdir()
  await writeFile(join(cwd, '.env'), `\uFEFFCLIENT_SECRET_KEY=${SECRET}\n`)
  const { stdout } = await run(process.execPath, [join(BUILD, 'tools/cli/client-token.js')], { cwd, env: {} })
  const [timestamp, salt] = Buffer.from(stdout.trim(), 'base64').toString().split('::')
  t.equal(stdout.trim(), createClientToken(SECRET, Number(timestamp), salt!))
})
