import t from 'tap'
import { readPreferWait } from '../../../lib/http/prefer-header.js'

t.test('reads wait=N of RFC 7240 and bounds it', async t => {
  t.equal(readPreferWait('wait=5'), 5)
  t.equal(readPreferWait('respond-async, wait=10'), 10)
  t.equal(readPreferWait('Wait = "7"; x=1'), 7)
  t.equal(readPreferWait('wait=3600'), 30)
  t.equal(readPreferWait('wait=0'), 0)
  for (const header of [undefined, '', 'wait', 'wait=', 'wait=-1', 'wait=1.5', 'waits=4', 'wait=x']) {
    t.equal(readPreferWait(header), 0, String(header))
  }
})
