import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist', '.test-build', 'data', '.tap', 'coverage'] }),
  { rules: { '@stylistic/comma-dangle': ['error', 'never'] } }
]
