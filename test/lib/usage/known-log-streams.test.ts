import t from 'tap'
import { KnownLogStreams } from '../../../lib/usage/known-log-streams.js'
import { BACKENDS } from '../../helpers/app.js'
import { stateStoreFolder } from '../../helpers/state-stores.js'

const DAY = 24 * 3_600_000

for (const backend of BACKENDS) {
  t.test(`log streams that applications have written to, ${backend}`, async t => {
    let now = Date.parse('2026-11-22T10:00:00Z')
    const store = await (await stateStoreFolder(t, backend)).open(() => now)
    const open = (): KnownLogStreams => new KnownLogStreams({ store, now: () => now })
    const one = open()
    one.add('shop', '/app:a')
    t.ok(one.has('shop', '/app:a'))
    t.notOk(one.has('blog', '/app:a'), 'those of another application are its own')

    const early = open()
    await early.lookUp('shop', ['/app:a'])
    t.notOk(early.has('shop', '/app:a'), 'it is not stored yet')

    await Promise.all([one.store(), one.store()])
    const next = open()
    t.notOk(next.has('shop', '/app:a'))
    await Promise.all([next.lookUp('shop', ['/app:a', '/app:b']), next.lookUp('blog', ['/app:a'])])
    t.same([next.has('shop', '/app:a'), next.has('shop', '/app:b'), next.has('blog', '/app:a')], [true, false, false])

    now += DAY
    next.add('shop', '/app:a')
    next.add('shop', '/app:b')
    await next.store()
    const later = open()
    await later.lookUp('shop', ['/app:b'])
    t.ok(later.has('shop', '/app:b'))
  })
}

t.test('what a store that is away has not taken is stored later', async t => {
  const store = await (await stateStoreFolder(t, 'embedded')).open()
  let isAway = true
  const flaky = {
    boundedTexts: (...args: Parameters<typeof store.boundedTexts>) => {
      const texts = store.boundedTexts(...args)
      const unlessAway = <Args extends unknown[], Result> (call: (...args: Args) => Promise<Result>) =>
        async (...args: Args): Promise<Result> => {
          if (isAway) throw new Error('away')
          return await call(...args)
        }
      return { setMany: unlessAway(texts.setMany), getMany: unlessAway(texts.getMany) }
    }
  }
  const known = new KnownLogStreams({ store: flaky, now: Date.now })
  known.add('shop', '/app:a')
  await known.store()
  await known.lookUp('shop', ['/app:b'])
  t.notOk(known.has('shop', '/app:b'))
  isAway = false
  await known.store()
  const next = new KnownLogStreams({ store: flaky, now: Date.now })
  await next.lookUp('shop', ['/app:a'])
  t.ok(next.has('shop', '/app:a'))
})
