import t from 'tap'
import { Channel } from '../../../lib/processes/channel.js'
import { channelPair } from '../../helpers/channel-pair.js'

t.test('each side calls the other, answers may overtake each other, and bytes stay bytes', async t => {
  const [one, other] = channelPair()
  let endFirst: (value: string) => void = () => {}
  other.handle('first', () => new Promise(resolve => { endFirst = resolve }))
  other.handle('second', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('!')]))
  one.handle('back', (a: number, b: Map<string, string>) => [a, b])
  const first = one.call('first')
  const second = await one.call('second', Buffer.from('größe'))
  t.ok(Buffer.isBuffer(second))
  t.equal(String(second), 'größe!')
  t.same(await other.call('back', 1, new Map([['a', 'b']])), [1, new Map([['a', 'b']])])
  endFirst('late')
  t.equal(await first, 'late')
})

t.test('an error keeps its name, its message and its application', async t => {
  const [one, other] = channelPair()
  class OwnError extends Error {
    override name = 'OwnError'
    application = 'shop'
  }
  other.handle('fail', () => { throw new OwnError('no room') })
  await t.rejects(one.call('fail'), { name: 'OwnError', message: 'no room', application: 'shop' })
  await t.rejects(one.call('nothing'), { message: 'no process answers "nothing"' })
})

t.test('news reach every listener; messages of others are ignored', async t => {
  const heard: unknown[] = []
  let receive: (message: unknown) => void = () => {}
  const channel = new Channel({ send () {}, listen: listener => { receive = listener } })
  channel.onNews('receipts', news => heard.push(news))
  channel.onNews('receipts', news => heard.push(news))
  const others = [null, 'text', { cmd: 'else' }, { answerTo: 7, value: 1 }, { topic: 'other', news: 1 }]
  for (const message of others) receive(message)
  receive({ topic: 'receipts', news: 'a' })
  t.same(heard, ['a', 'a'])
})

t.test('calls of a process that has gone are rejected, those under way, too', async t => {
  const [one] = channelPair()
  let closed = 0
  one.onClose(() => closed++)
  const underWay = one.call('never')
  one.close()
  one.close()
  for (const call of [underWay, one.call('later')]) await t.rejects(call, { name: 'ChannelClosedError' })
  one.tell('nobody hears it')
  t.equal(closed, 1)
})

t.test('the methods of an object are called from afar, with errors of the kind that is wanted', async t => {
  const [one, other] = channelPair()
  class Counter {
    value = 1
    add (by: number): number {
      if (by < 0) throw new Error('it grows')
      return (this.value += by)
    }
  }
  other.serve('counter', new Counter(), ['add'])
  const toError = ({ message }: Error): Error => new RangeError(message)
  const remote = one.remote<{ add (by: number): Promise<number> }, 'add'>('counter', ['add'], toError)
  t.equal(await remote.add(2), 3)
  await t.rejects(remote.add(-1), new RangeError('it grows'))
})
