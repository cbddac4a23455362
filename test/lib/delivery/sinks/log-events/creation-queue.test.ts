import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { CreationQueue } from '../../../../../lib/delivery/sinks/log-events/creation-queue.js'

/** A queue that one application has filled, of which creations end when they are told to. */
async function fillQueue () {
  const queue = new CreationQueue()
  const begun: string[] = []
  const ends: Array<() => void> = []
  const created: Array<Promise<void>> = []
  const create = (application: string): void => {
    created.push(queue.run(application, async () => {
      begun.push(application)
      await new Promise<void>(resolve => ends.push(resolve))
    }))
  }
  const endFirst = async (): Promise<void> => {
    ends.shift()!()
    await turn()
  }
  while (queue.hasRoom('hostile')) create('hostile')
  await turn()
  return { queue, begun, ends, created, create, endFirst }
}

t.test('one application that makes many log streams leaves room for others', async t => {
  const { queue } = await fillQueue()
  t.ok(queue.waiting('hostile') > 0)
  t.notOk(queue.hasRoom('hostile'))
  t.ok(queue.hasRoom('shop'))
})

t.test('applications have their turns', async t => {
  const { begun, ends, created, create, endFirst } = await fillQueue()
  for (const application of ['shop', 'blog', 'shop', 'blog']) create(application)
  const underWay = begun.length
  for (let i = 0; i < 6; i++) await endFirst()
  t.same(begun.slice(underWay), ['hostile', 'shop', 'blog', 'hostile', 'shop', 'blog'])
  while (ends.length > 0) await endFirst()
  await Promise.all(created)
  t.equal(begun.length, created.length)
})
