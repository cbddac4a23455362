import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createClientToken } from '../../package/token.js'
import { ROOT } from '../../tools/shared/root.js'
import { CLIENT_SECRET_KEY, eventually, startGateway } from '../helpers/app.js'

/** For a machine on which many test files run at once. */
const DELIVERY_MS = 60_000
const BLOCK = /^```js\n(.*?)^```/gms

/** A module of this code that gives out what is named. */
async function evaluate (code: string, names: string): Promise<Record<string, unknown>> {
  return await import(
    `data:text/javascript,${encodeURIComponent(`${code}\nexport { ${names} }`)}`
  ) as Record<string, unknown>
}

t.test('the code of the README trades a client token, and sends an item of each kind', async t => {
  const { url, sandbox } = await startGateway(t)
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  // The app between the two is run by test/package/install.slow.ts.
  const [logEvents, , page] = [...readme.matchAll(BLOCK)].map(([, code]) => code!)
  const clientToken = createClientToken({ secret: CLIENT_SECRET_KEY })
  const variables = `const gateway = ${JSON.stringify(url)}; const clientToken = ${JSON.stringify(clientToken)}\n`
  const { accessToken } = await evaluate(variables + page!, 'accessToken')
  t.type(accessToken, 'string')
  const { answer } = await evaluate(
    `const gateway = ${JSON.stringify(url)}; const accessToken = ${JSON.stringify(accessToken)}\nconst answer = ` +
      `await ${logEvents!}`,
    'answer'
  ) as { answer: Response }
  t.equal(answer.status, 201)
  const shown = JSON.parse(/^\/\/ 201 (.*), …\}$/m.exec(logEvents!)![1]! + '}') as object
  t.match(await answer.json(), shown, 'the answer is the one that the README shows')
  await eventually(() => sandbox.ledger().events === 1 && sandbox.ledger().datums === 1 ? true : undefined, DELIVERY_MS)
})
