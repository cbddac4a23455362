import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { AwsAccess } from '../../../lib/delivery/aws-access.js'

interface Answer { resolve (credentials: object): void, reject (error: Error): void }

/** A client whose credentials are given or refused one by one, and a clock. */
function open () {
  const waiting: Answer[] = []
  const state = { now: 0, asked: 0, waiting, unreachable: null as Error | null }
  const credentials = (): Promise<object> => {
    state.asked++
    return new Promise((resolve, reject) => { waiting.push({ resolve, reject }) })
  }
  const access = new AwsAccess({
    client: { config: { credentials, region: async () => 'eu-west-1' } },
    reach: async () => { if (state.unreachable !== null) throw state.unreachable },
    now: () => state.now
  })
  return { access, state }
}
const notFound = () =>
  Object.assign(new Error('Could not load credentials from any providers'), { name: 'CredentialsProviderError' })

t.test('all who ask at first wait for one answer, which then stands for a minute', async t => {
  const { access, state } = open()
  const answers = Promise.all([access.failure(), access.failure()])
  state.waiting[0]!.resolve({})
  t.same(await answers, [null, null])
  state.now = 59_999
  t.equal(await access.failure(), null)
  t.equal(state.asked, 1)
  state.now = 60_000
  t.equal(await access.failure(), null, 'the last answer stands while the SDK is asked again')
  t.equal(state.asked, 2)
  state.waiting[1]!.reject(notFound())
  await turn()
  t.match((await access.failure())?.message, /^CredentialsProviderError: Could not load credentials/)
})

t.test('nobody waits for long, and what comes late counts', async t => {
  const { access, state } = open()
  // The wait itself keeps no process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
  t.equal((await access.failure())?.message, 'credentials were not found in time')
  state.waiting[0]!.resolve({})
  await turn()
  t.equal(await access.failure(), null)
  t.equal(state.asked, 1)
})

t.test('credentials that are missing are looked for every five seconds', async t => {
  const { access, state } = open()
  const first = access.failure()
  state.waiting[0]!.reject(notFound())
  t.match((await first)?.message, /CredentialsProviderError/)
  state.now = 4_999
  await access.failure()
  t.equal(state.asked, 1)
  state.now = 5_000
  await access.failure()
  state.waiting[1]!.resolve({})
  await turn()
  t.equal(await access.failure(), null)
})

t.test('an endpoint that cannot be reached is told, though there are credentials', async t => {
  const { access, state } = open()
  state.unreachable = Object.assign(
    new Error('getaddrinfo ENOTFOUND monitoring.eu-west-9.amazonaws.com'), { code: 'ENOTFOUND' }
  )
  const first = access.failure()
  state.waiting[0]!.resolve({})
  t.match(await first, { name: 'ENOTFOUND', message: /eu-west-9/ })
})
