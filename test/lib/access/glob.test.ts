import fc from 'fast-check'
import t from 'tap'
import { literalLength, matchesAny, matchesGlob } from '../../../lib/access/glob.js'

/** What globs mean, with no thought of speed. */
function means (glob: string, text: string): boolean {
  if (glob === '') return text === ''
  if (glob[0] === '*') return means(glob.slice(1), text) || (text !== '' && means(glob, text.slice(1)))
  return text !== '' && (glob[0] === '?' || glob[0] === text[0]) && means(glob.slice(1), text.slice(1))
}

t.test('* is any run of characters, ? any one, all others themselves', async t => {
  const cases: Array<[string, string, boolean]> = [
    ['shop', 'shop', true], ['shop', 'shops', false], ['', '', true], ['*', '', true], ['?', '', false],
    ['/web/*', '/web/', true],
    ['/web/*', '/web/a/b', true],
    ['/web/*', '/webs', false],
    ['/web/*/x', '/web/a/b/x', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a.c', 'abc', false],
    ['[a-z]', 'b', false],
    ['(a|b)', 'a', false],
    ['*a*', 'bab', true],
    ['**', 'x', true]
  ]
  for (const [glob, text, expected] of cases) t.equal(matchesGlob(glob, text), expected, `${glob} ${text}`)
  t.ok(matchesAny(['a', 'b*'], 'bc'))
  t.notOk(matchesAny([], 'bc'))
  t.equal(literalLength('/web/*-?'), 6)
})

t.test('every short glob means what it says', async () => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 10 })
  fc.assert(fc.property(glob, text, (glob, text) => matchesGlob(glob, text) === means(glob, text)), { numRuns: 2_000 })
})

t.test('hostile text costs no more than its length times that of the glob', async t => {
  const startedAt = performance.now()
  t.notOk(matchesGlob('*a'.repeat(128) + 'b', 'a'.repeat(10_000)))
  t.ok(performance.now() - startedAt < 5_000)
})
