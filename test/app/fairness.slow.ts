import t from 'tap'
import { BACKENDS } from '../helpers/app.js'
import { checkFairness } from '../helpers/fairness.js'

for (const backend of BACKENDS) {
  t.test(`${backend}: an application with a thousand new log streams makes the others wait twice as long at most`, {
    timeout: 300_000
  }, async t => {
    await checkFairness(t, backend, { rounds: 16, bodies: 10 })
  })
}
