import fc from 'fast-check'
import t from 'tap'
import type { Failure } from '../../../lib/resilience/failure.js'
import { createEntitlement, type EntitlementOptions } from '../../../lib/metering/entitlement.js'
import type { KnownVerdict, VerdictStore } from '../../../lib/metering/verdicts.js'
import { openTestPlatform } from '../../helpers/metering.js'

const AGES = { entitledMs: 30_000, deniedMs: 5_000, staleMs: 30_000, staleIfErrorMs: 600_000 }

async function open (t: Parameters<typeof openTestPlatform>[0], options: Partial<EntitlementOptions> = {}) {
  const { platform, sandbox } = await openTestPlatform(t, { timeoutMs: 1_500 })
  sandbox.setClients({ acme: 'entitled', broke: 'denied' })
  /** The wall clock is the monotonic one, as it was set. */
  const clock = { now: 1_000_000, setBy: 0 }
  const unknown: Failure[] = []
  const entitlement = createEntitlement({
    platform,
    failMode: 'closed',
    now: () => clock.now + clock.setBy,
    monotonicNow: () => clock.now,
    ages: AGES,
    onUnknown: failure => { unknown.push(failure) },
    ...options
  })
  return { entitlement, sandbox, clock, unknown, asked: (id: string) => sandbox.ledger().asked[id] ?? 0 }
}

t.test('200 allows, 404 denies', async t => {
  const { entitlement } = await open(t)
  t.strictSame(await entitlement.check('acme'), { allowed: true, verdict: 'entitled', basis: 'asked' })
  t.strictSame(await entitlement.check('broke'), { allowed: false, verdict: 'denied', basis: 'asked' })
  t.strictSame(await entitlement.check('nobody'), { allowed: false, verdict: 'denied', basis: 'asked' })
})

t.test('a client id that cannot be one is denied without a call', async t => {
  const { entitlement, sandbox } = await open(t)
  const bad = [
    undefined,
    '',
    ' ',
    '-',
    'a&b',
    'x&productKey=valid',
    '100%',
    '%00',
    'a\u0000b',
    'a\nb',
    'a\u2028b',
    'a"b',
    'a\\b',
    '\ud800',
    'x'.repeat(10_240),
    'x'.repeat(257)
  ]
  for (const [index, id] of bad.entries()) {
    t.match(
      await entitlement.check(id),
      { allowed: false, verdict: 'denied', basis: 'rule', reason: /the client id must/ },
      `client id ${index}`
    )
  }
  t.notOk(sandbox.ledger().calls['product-key'])
})

t.test('a client id reaches the platform as it is, and as nothing else', async t => {
  const { entitlement, sandbox } = await open(t)
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), async id => {
    const before = sandbox.ledger().calls['product-key'] ?? 0
    const { basis } = await entitlement.check(id)
    if (basis === 'rule') t.equal(sandbox.ledger().calls['product-key'] ?? 0, before)
    else t.ok((sandbox.ledger().asked[id] ?? 0) > 0)
  }), { numRuns: 150 })
  for (const id of [
    'constructor', '__proto__', 'a b', 'a+b', 'a=b', 'a#b', 'a/../b', 'ü', '日本', '?productKey=x', ';x'
  ]) {
    await entitlement.check(id)
    t.equal(sandbox.ledger().asked[id], 1, id)
  }
})

t.test('a verdict is kept while it is new, a denial for less long', async t => {
  const { entitlement, clock, asked } = await open(t)
  await entitlement.check('acme')
  await entitlement.check('broke')
  clock.now += 4_999
  t.match(await entitlement.check('acme'), { allowed: true, basis: 'cached' })
  t.match(await entitlement.check('broke'), { allowed: false, basis: 'cached' })
  clock.now += 1
  t.match(await entitlement.check('broke'), { allowed: false, basis: 'asked' })
  t.strictSame([asked('acme'), asked('broke')], [1, 2])
})

t.test('a client that has paid may call as soon as the denial is old', async t => {
  const { entitlement, sandbox, clock } = await open(t)
  await entitlement.check('broke')
  sandbox.setClients({ broke: 'entitled' })
  clock.now += AGES.deniedMs
  t.match(await entitlement.check('broke'), { allowed: true, basis: 'asked' })
})

t.test('an old entitlement is answered at once and renewed behind it', async t => {
  const { entitlement, sandbox, clock, asked } = await open(t)
  await entitlement.check('acme')
  sandbox.setClients({ acme: 'denied' })
  clock.now += AGES.entitledMs
  t.match(await entitlement.check('acme'), { allowed: true, basis: 'cached' })
  await entitlement.settled()
  t.equal(asked('acme'), 2)
  t.match(await entitlement.check('acme'), { allowed: false, basis: 'cached' })
})

t.test('an entitlement that is older than that is asked for', async t => {
  const { entitlement, sandbox, clock } = await open(t)
  await entitlement.check('acme')
  sandbox.setClients({ acme: 'denied' })
  clock.now += AGES.entitledMs + AGES.staleMs
  t.match(await entitlement.check('acme'), { allowed: false, basis: 'asked' })
})

t.test('many who ask at once make one call', async t => {
  const { entitlement, sandbox, asked } = await open(t)
  sandbox.faults.set([{ kind: 'delay', delayMs: 50 }])
  const decisions = await Promise.all(Array.from({ length: 50 }, () => entitlement.check('acme')))
  t.ok(decisions.every(({ allowed }) => allowed))
  t.equal(asked('acme'), 1)
})

t.test('while the platform fails, its last word counts, whichever it was', async t => {
  for (const status of [401, 403, 429, 500, 503]) {
    const { entitlement, sandbox, clock, unknown } = await open(t)
    await entitlement.check('acme')
    await entitlement.check('broke')
    sandbox.faults.set([{ kind: 'answer', status }])
    clock.now += AGES.staleIfErrorMs - 1
    t.match(await entitlement.check('acme'), {
      allowed: true,
      verdict: 'entitled',
      basis: 'outage',
      reason: new RegExp(`HTTP ${status}`)
    })
    t.match(await entitlement.check('broke'), { allowed: false, verdict: 'denied', basis: 'outage' })
    t.match(unknown[0], { class: status < 429 ? 'denied' : String })
    clock.now += 60_000
    t.match(
      await entitlement.check('acme'),
      { allowed: false, verdict: 'unknown', basis: 'fail-mode' },
      'a word that is too old is none'
    )
  }
})

t.test('what nobody knows is refused, unless the operator wants it otherwise', async t => {
  for (const [failMode, allowed] of [['closed', false], ['open', true]] as const) {
    for (const fault of [
      { kind: 'answer', status: 503 },
      { kind: 'answer', status: 401 },
      { kind: 'reset' },
      { kind: 'hang' },
      { kind: 'answer', status: 302 },
      { kind: 'garbage' }
    ] as const) {
      const { entitlement, sandbox } = await open(t, { failMode })
      sandbox.faults.set([fault])
      t.match(
        await entitlement.check('acme'),
        { allowed, verdict: 'unknown', basis: 'fail-mode' },
        `${failMode} ${JSON.stringify(fault)}`
      )
    }
  }
})

t.test('a platform that is down is left alone, and asked again by one after a while', async t => {
  const { entitlement, sandbox, clock } = await open(t)
  sandbox.faults.set([{ kind: 'answer', status: 503 }])
  for (let i = 0; i < 20; i++) await entitlement.check(`client${i}`)
  t.equal(sandbox.ledger().calls['product-key'], 5)
  sandbox.faults.clear()
  t.match(await entitlement.check('acme'), { verdict: 'unknown', reason: /not answered lately/ })
  clock.now += 10_000
  t.match(await entitlement.check('acme'), { allowed: true, basis: 'asked' })
  t.match(await entitlement.check('broke'), { verdict: 'denied', basis: 'asked' })
})

t.test('a wall clock that is set neither shortens nor lengthens the time for which the platform is left alone', async t => {
  for (const setBy of [3_600_000, -3_600_000]) {
    const { entitlement, sandbox, clock } = await open(t)
    sandbox.faults.set([{ kind: 'answer', status: 503 }])
    for (let i = 0; i < 5; i++) await entitlement.check(`client${i}`)
    sandbox.faults.clear()
    clock.setBy = setBy
    t.match(
      await entitlement.check('acme'), { verdict: 'unknown', reason: /not answered lately/ }, `set by ${setBy} ms`
    )
    clock.now += 10_000
    t.match(await entitlement.check('acme'), { allowed: true, basis: 'asked' }, `set by ${setBy} ms`)
  }
})

t.test('a verdict from a clock that was ahead is not kept until that time', async t => {
  const { entitlement, sandbox, clock, asked } = await open(t)
  clock.setBy = 3_600_000
  await entitlement.check('acme')
  clock.setBy = 0
  sandbox.setClients({ acme: 'denied' })
  t.match(await entitlement.check('acme'), { allowed: false, basis: 'asked' })
  t.equal(asked('acme'), 2)
  t.match(await entitlement.check('acme'), { allowed: false, basis: 'cached' })
})

t.test('Retry-After keeps everybody away at once', async t => {
  const { entitlement, sandbox, clock } = await open(t)
  sandbox.faults.set([{ kind: 'answer', status: 429, retryAfterSeconds: 20, count: 1 }])
  t.match(await entitlement.check('acme'), { verdict: 'unknown' })
  clock.now += 19_999
  t.match(await entitlement.check('acme'), { verdict: 'unknown' })
  clock.now += 1
  t.match(await entitlement.check('acme'), { allowed: true })
  t.equal(sandbox.ledger().calls['product-key'], 2)
})

t.test('a Retry-After of ten minutes keeps everybody away for half a minute', async t => {
  const { entitlement, sandbox, clock } = await open(t)
  sandbox.faults.set([{ kind: 'answer', status: 429, retryAfterSeconds: 600, count: 1 }])
  await entitlement.check('acme')
  clock.now += 30_000
  t.match(await entitlement.check('acme'), { allowed: true })
})

t.test('ids that the platform refuses are denied, and turn nobody else away', async t => {
  const { entitlement, sandbox } = await open(t)
  for (const status of [400, 406, 410, 414, 422]) {
    sandbox.faults.set([{ kind: 'answer', status }])
    for (let i = 0; i < 5; i++) {
      t.match(
        await entitlement.check(`odd ${status} ${i}`.replaceAll(' ', '-')),
        { allowed: false, verdict: 'denied', basis: 'asked' },
        String(status)
      )
    }
  }
  sandbox.faults.clear()
  t.match(await entitlement.check('acme'), { allowed: true, basis: 'asked' })
})

t.test('only so many clients are remembered', async t => {
  const { entitlement, asked } = await open(t, { maxClients: 2 })
  for (const id of ['acme', 'broke', 'third', 'acme']) await entitlement.check(id)
  t.equal(asked('acme'), 2)
})

t.test('verdicts are shared through a store, and a store that fails costs a question', async t => {
  const shared = new Map<string, KnownVerdict>()
  const store: VerdictStore = {
    get: async id => shared.get(id) ?? null, set: async (id, known) => { shared.set(id, known) }
  }
  const first = await open(t, { store })
  const second = await open(t, { store })
  await first.entitlement.check('acme')
  t.match(await second.entitlement.check('acme'), { allowed: true, basis: 'cached' })
  t.equal(second.asked('acme'), 0)

  const errors: unknown[] = []
  const failing: VerdictStore = {
    get: async () => { throw new Error('away') }, set: async () => { throw new Error('away') }
  }
  const third = await open(t, { store: failing, onStoreError: error => { errors.push(error) } })
  t.match(await third.entitlement.check('acme'), { allowed: true, basis: 'asked' })
  t.match(await third.entitlement.check('acme'), { allowed: true, basis: 'cached' })
  t.equal(errors.length, 2)
})
