import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { BUILD } from '../../../tools/shared/root.js'

const SECRET = 'secret-of-the-client'
const MAIN = join(BUILD, 'tools/cli/main.js')
const run = promisify(execFile)

t.test('a command reads the first variable of a .env with a byte order mark', async t => {
  const cwd = t.testdir()
  await writeFile(join(cwd, '.env'), `\uFEFFCLIENT_SECRET_KEY=${SECRET}\n`)
  const { stdout } = await run(process.execPath, [MAIN, 'client-token'], { cwd, env: {} })
  const [timestamp, salt] = Buffer.from(stdout.trim(), 'base64').toString().split('::')
  t.equal(stdout.trim(), createClientToken(SECRET, Number(timestamp), salt!))
})

t.test('a command refuses a .env in UTF-16 by its name', async t => {
  const cwd = t.testdir()
  for (const mark of ['\uFEFF', '']) {
    await writeFile(join(cwd, '.env'), Buffer.from(`${mark}CLIENT_SECRET_KEY=${SECRET}\r\n`, 'utf16le'))
    for (const command of [['client-token'], ['dead-letters', 'list'], ['meter']]) {
      const { status, stderr } = spawnSync(process.execPath, [MAIN, ...command], {
        cwd,
        env: {},
        input: '',
        encoding: 'utf8'
      })
      t.equal(status, 1, command[0])
      t.match(
        stderr, /^The variables in .*\.env cannot be read\.\n {2}it is in UTF-16, and has to be saved as UTF-8.*\n$/
      )
    }
  }
})

t.test('without a .env the environment alone counts', async t => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'client-token'], {
    cwd: t.testdir(), env: {}, encoding: 'utf8'
  })
  t.equal(status, 1)
  t.match(stderr, /^CLIENT_SECRET_KEY is not set/)
})
