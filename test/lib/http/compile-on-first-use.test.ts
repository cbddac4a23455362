import t from 'tap'
import { compileOnFirstUse } from '../../../lib/http/compile-on-first-use.js'

interface Check {
  (data: unknown): boolean
  errors?: string[]
}

/** Compilers of checks for one type, and what was asked of them. */
function typeChecks () {
  const made: string[] = []
  const createCompiler = (dialect: string) => {
    made.push(`compiler of ${dialect}`)
    return (type: string): Check => {
      made.push(type)
      const check: Check = data => {
        const found: string = typeof data
        check.errors = found === type ? undefined : [`not a ${type}`]
        return check.errors === undefined
      }
      return check
    }
  }
  const load = () => {
    made.push('loaded')
    return createCompiler
  }
  return { made, createCompiler: compileOnFirstUse(load) }
}

t.test('nothing is compiled before its first use, and nothing twice', async t => {
  const { made, createCompiler } = typeChecks()
  const compile = createCompiler('draft-07')
  const string = compile('string')
  compile('number')
  t.same(made, [])
  t.equal(string('a'), true)
  t.equal(string('b'), true)
  t.same(made, ['loaded', 'compiler of draft-07', 'string'])
})

t.test('one compiler serves the schemas of one context', async t => {
  const { made, createCompiler } = typeChecks()
  const compile = createCompiler('draft-07')
  compile('string')('a')
  compile('number')(1)
  t.same(made, ['loaded', 'compiler of draft-07', 'string', 'number'])
  createCompiler('2020-12')('string')('a')
  t.same(made.slice(4), ['compiler of 2020-12', 'string'])
})

t.test('a check answers and leaves what it found, as the compiled one does', async t => {
  const { createCompiler } = typeChecks()
  const string = createCompiler('draft-07')('string')
  t.equal(string(1), false)
  t.same(string.errors, ['not a string'])
  t.equal(string('a'), true)
  t.equal(string.errors, undefined)
})

t.test('a schema that cannot be compiled fails each time that it is used', async t => {
  const check = compileOnFirstUse(() => () => (): Check => { throw new Error('no such type') })()({})
  t.throws(() => check('a'), /no such type/)
  t.throws(() => check('a'), /no such type/)
})
