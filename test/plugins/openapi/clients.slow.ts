import { exec } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { ensureNode24, ensurePackages } from '../../../tools/testing/ensure.js'
import { ROOT } from '../../../tools/shared/root.js'
import { CLIENT_SECRET_KEY, startGateway } from '../../helpers/app.js'

const FOLDER = join(ROOT, 'test/clients')
const run = promisify(exec)

// Before the test, whose time limit is not for installing.
ensurePackages(FOLDER)
const node = ensureNode24()

t.test('the client of every generator compiles strictly, and calls a gateway', async t => {
  const PATH = [join(FOLDER, 'node_modules/.bin'), dirname(node), process.env.PATH].join(delimiter)
  const runThere = async (command: string): Promise<string> => {
    const { stdout } = await run(command, { cwd: FOLDER, env: { ...process.env, PATH } })
      .catch((error: { stdout: string, stderr: string }) => {
        throw new Error(`${command}:\n${error.stdout}${error.stderr}`)
      })
    return stdout
  }
  const { scripts } = JSON.parse(await readFile(join(FOLDER, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const generated = join(FOLDER, 'generated')
  await rm(generated, { recursive: true, force: true })
  // oazapfts makes no folder.
  await mkdir(generated)
  await Promise.all(Object.values(scripts).map(runThere))
  await runThere('tsc -p .')

  const { url } = await startGateway(t)
  const clientToken = createClientToken(CLIENT_SECRET_KEY, Date.now(), 'salt')
  const printed = await runThere(`node generated/out/main.js ${url} ${clientToken}`)
  const outcomes = JSON.parse(printed) as Record<string, object>
  t.same(Object.keys(outcomes).sort(), Object.keys(scripts).sort())
  for (const [name, outcome] of Object.entries(outcomes)) t.same(outcome, { accepted: [1, 1], code: 110 }, name)
})
