import fc from 'fast-check'
import t from 'tap'
import { matchesAny } from '../../../../lib/access/glob.js'
import { covers, distinctGlobs, foldGlobs, mergeGlobs } from '../../../../tools/cli/iam-policy/fold-globs.js'

const glob = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), minLength: 1, maxLength: 8 })
const globs = fc.array(glob, { maxLength: 12 })
const filler = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 })

/** A text that the glob matches. */
function fill (pattern: string, run: string): string {
  return pattern.replaceAll('*', run).replaceAll('?', run[0] ?? 'a')
}

t.test('globs that others cover are left out', async t => {
  t.strictSame(distinctGlobs(['b', 'a*', 'ab', 'a**', 'b', 'a?']), ['a*', 'b'])
  t.strictSame(distinctGlobs(['x', '*', 'y*']), ['*'])
  t.ok(covers('a?', 'ab'))
  t.notOk(covers('a?', 'a*'))
  t.ok(covers('*a*', '?a*'))
})

t.test('two globs become what they begin and end with alike', async t => {
  t.equal(mergeGlobs('/web/shop', '/web/blog'), '/web/*')
  t.equal(mergeGlobs('/web/shop/prod', '/web/blog/prod'), '/web/*/prod')
  t.equal(mergeGlobs('app', 'app-2'), 'app*')
  t.equal(mergeGlobs('a*', 'b?'), '*')
})

t.test('nothing is widened that fits, and those most alike are widened first', async t => {
  const given = [['shop/a', 'shop/b', 'blog'], ['/web/shop-1', '/web/shop-2', '/app']]
  const fitting = (most: number) => foldGlobs(given, lists => lists.flat().length <= most)
  const shown = (most: number) => fitting(most).map(row => row.map(({ glob }) => glob))
  t.strictSame(shown(6), [['blog', 'shop/a', 'shop/b'], ['/app', '/web/shop-1', '/web/shop-2']])
  t.strictSame(shown(5), [['blog', 'shop/a', 'shop/b'], ['/app', '/web/shop-*']])
  t.strictSame(shown(4), [['blog', 'shop/*'], ['/app', '/web/shop-*']])
  t.strictSame(shown(3), [['blog', 'shop/*'], ['/*']])
  t.strictSame(fitting(4)[0]![1], { glob: 'shop/*', standsFor: ['shop/a', 'shop/b'] })
})

t.test('folding never loses a grant', async () => {
  fc.assert(fc.property(globs, globs, fc.nat(12), filler, (namespaces, logGroups, most, run) => {
    const folded = foldGlobs([namespaces, logGroups], lists => lists.flat().length <= most)
    return [namespaces, logGroups].every((given, list) => {
      const kept = folded[list]!.map(({ glob }) => glob)
      return given.every(each => matchesAny(kept, fill(each, run)))
    })
  }), { numRuns: 3_000 })
})

t.test('a glob covers another only if it matches all that the other matches', async () => {
  fc.assert(fc.property(glob, glob, filler, (wide, narrow, run) =>
    !covers(wide, narrow) || matchesAny([wide], fill(narrow, run))), { numRuns: 5_000 })
})

t.test('20,000 globs are folded in seconds', async t => {
  const many = Array.from({ length: 20_000 }, (_, i) => `/web/shop-${i}`)
  const startedAt = performance.now()
  const [row] = foldGlobs([many], lists => lists.flat().length <= 40)
  t.ok(row!.length <= 40)
  t.ok(performance.now() - startedAt < 10_000)
})
