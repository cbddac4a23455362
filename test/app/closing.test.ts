import t from 'tap'
import { startGateway } from '../helpers/app.js'
import { openRaw } from '../helpers/raw.js'

t.test('what arrives on a busy connection while the server closes is stored and answered', async t => {
  const { app, url, token, sandbox } = await startGateway(t)
  const authorization = `Bearer ${await token()}`
  const body = (message: string) => JSON.stringify({ logGroupName: '/closing', logStreamName: 's', logEvents: [{ message }] })
  const head = (length: number) => `POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: ${authorization}\r\nContent-Length: ${length}\r\n\r\n`

  const { write, closed } = openRaw(url)
  const first = body('first')
  write(head(first.length) + first.slice(0, 10))
  await new Promise(resolve => setTimeout(resolve, 200))
  const stopped = app.close()
  await new Promise(resolve => setTimeout(resolve, 200))
  const second = body('second')
  write(first.slice(10) + head(second.length) + second)

  const text = await closed
  await stopped
  t.equal(text.match(/HTTP\/1\.1 201 /g)?.length, 2, text)
  t.match(text, /connection: close/i)
  t.same([...sandbox.items('/closing')].map(({ message }) => message).sort(), ['first', 'second'], 'and delivered before the process ends')
})
