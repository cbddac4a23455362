import t from 'tap'
import { parseQueueName, queueName } from '../../../lib/spool/queue-name.js'

t.test('the name of a queue gives back what it was made of', async t => {
  for (const destination of ['d', '/group:stream', '']) {
    for (const application of ['', 'shop', '7']) {
      for (const version of [null, 3, 12]) {
        t.same(parseQueueName(queueName(destination, application, version)), { destination, application, version })
      }
    }
  }
})

t.test('earlier versions have named the queues of destinations, and those of unread records', async t => {
  t.same(parseQueueName('d'), { destination: 'd', application: '', version: null })
  t.same(parseQueueName('d\n3'), { destination: 'd', application: '', version: 3 })
})
