import fc from 'fast-check'
import t from 'tap'
import { isTooDeep, MAX_UNAUTHENTICATED_DEPTH } from '../../../lib/http/unauthenticated-body.js'

function depthOf (value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

t.test('counts levels as the parser does', async t => {
  const deep = fc.letrec(
    tie => ({
      tree: fc.oneof(
        { maxDepth: 40, depthSize: 'max' },
        fc.string(),
        fc.array(tie('tree'), { maxLength: 2 }),
        fc.dictionary(fc.string(), tie('tree'), { maxKeys: 2 })
      )
    })
  ).tree
  fc.assert(fc.property(deep, value => {
    t.equal(isTooDeep(JSON.stringify(value), false), depthOf(value) > MAX_UNAUTHENTICATED_DEPTH)
  }), { numRuns: 200 })
})

t.test('brackets in strings are no levels, and each line begins anew', async t => {
  const at = '['.repeat(MAX_UNAUTHENTICATED_DEPTH)
  t.equal(isTooDeep(at, false), false)
  t.equal(isTooDeep(`${at}[`, false), true)
  t.equal(isTooDeep(`${at}"[{\\"["`, false), false)
  t.equal(isTooDeep(`${at}"\\\\"[`, false), true)
  t.equal(isTooDeep(`${at}\n${at}`, true), false)
  t.equal(isTooDeep(`"${at}[\n${at}[`, true), true)
  t.equal(isTooDeep(`${at}\n${at}`, false), true)
})
