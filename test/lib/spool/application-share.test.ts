import t from 'tap'
import { ApplicationBytes, fitsShare, isContested } from '../../../lib/spool/application-share.js'

/** Lets the application store a byte at a time for as long as its share has room. @returns the bytes that it holds */
function fill (held: Map<string, number>, application: string, maxBytes: number): number {
  const stored = (): number => [...held.values()].reduce((sum, bytes) => sum + bytes, 0)
  while (fitsShare(held.get(application) ?? 0, 1, stored(), maxBytes)) {
    held.set(application, (held.get(application) ?? 0) + 1)
  }
  return held.get(application) ?? 0
}

t.test('an application alone may hold two thirds, and leaves room for every other', async t => {
  const held = new Map<string, number>()
  t.equal(fill(held, 'hostile', 900), 600)
  t.equal(fill(held, 'good 1', 900), 200)
  t.equal(fill(held, 'good 2', 900), 66)
  t.equal(fill(held, 'hostile', 900), 600)
})

t.test('applications that store at the same time hold the same', async t => {
  const held = new Map<string, number>()
  const names = Array.from({ length: 10 }, (_, i) => `application ${i}`)
  let stored = 0
  for (let before = -1; before < stored;) {
    before = stored
    for (const name of names) {
      if (!fitsShare(held.get(name) ?? 0, 1, stored, 2_100)) continue
      held.set(name, (held.get(name) ?? 0) + 1)
      stored++
    }
  }
  t.same([...held.values()], names.map(() => 200))
})

t.test('while a third is free every application may store', async t => {
  t.equal(isContested(600, 900), false)
  t.equal(fitsShare(599, 1, 599, 900), true)
  t.equal(isContested(601, 900), true)
})

t.test('bytes of applications are forgotten when there are none, and not counted when nobody knows whose they are', async t => {
  const bytes = new ApplicationBytes()
  bytes.add('shop', 3)
  bytes.add('', 3)
  t.same([bytes.of('shop'), bytes.of(''), bytes.of('blog')], [3, 0, 0])
  bytes.add('shop', -3)
  t.equal(bytes.of('shop'), 0)
})
