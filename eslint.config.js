import neostandard from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist', 'data', '.tap', 'coverage'] }),
  { rules: { '@stylistic/comma-dangle': ['error', 'never'] } }
]
