import neostandard from 'neostandard'

export default [
  ...neostandard({
    ts: true,
    noJsx: true,
    ignores: ['dist', '.test-build', 'data', '.tap', 'coverage', 'test/clients/generated']
  }),
  { rules: { '@stylistic/comma-dangle': ['error', 'never'] } },
  {
    files: ['app.ts', 'start.ts', 'package/**', 'plugins/**', 'routes/**', 'lib/**', 'lambda/**'],
    ignores: ['lib/clock.ts'],
    rules: {
      'no-restricted-properties': ['error',
        { object: 'Date', property: 'now', message: 'Take unixNow, or monotonicNow for a duration, of lib/clock.' },
        { object: 'performance', property: 'now', message: 'Take monotonicNow of lib/clock.' }
      ]
    }
  }
]
