import fc from 'fast-check'
import t from 'tap'
import { canonicalJson, digestContent } from '../../../lib/intake/request-digest.js'

const content = (items: unknown[], destination = ['/g', 's']) => ({ kind: 'logs' as const, destination, items })

t.test('the digest is that of the decoded items, whatever the order of their fields', async t => {
  fc.assert(fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))), items => {
    const reversed = items.map(item => Object.fromEntries(Object.entries(item).reverse()))
    t.equal(
      digestContent(content(JSON.parse(JSON.stringify(items)) as unknown[])),
      digestContent(content(JSON.parse(JSON.stringify(reversed)) as unknown[]))
    )
  }), { numRuns: 100 })
})

t.test('other values, destinations and kinds have other digests', async t => {
  const all = [
    content([{ message: 'a' }]),
    content([{ message: 'b' }]),
    content([{ message: 'a' }, { message: 'a' }]),
    content([{ message: ['a'] }]),
    content([{ message: 'a', timestamp: 1 }]),
    content([{ message: 'a', timestamp: '1' }]),
    content([{ message: 'a' }], ['/g', 't']),
    content([{ message: 'a' }], ['/gs', '']),
    { ...content([{ message: 'a' }]), kind: 'metrics' as const }, content([]), content([null]), content([[]])
  ]
  t.equal(new Set(all.map(digestContent)).size, all.length)
})

t.test('what is too deep for any item ends no process', async t => {
  const depth = 100_000
  const deep: unknown = JSON.parse('['.repeat(depth) + ']'.repeat(depth))
  t.equal(canonicalJson(deep), canonicalJson([deep]))
})
