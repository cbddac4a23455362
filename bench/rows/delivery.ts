import { join } from 'node:path'
import { ConfigSchema } from '../../schemas/config.js'
import type { Bench, Row } from '../bench.js'
import { MESSAGE_BYTES } from '../bodies.js'
import { resetSandbox, watchDrain, type Drain } from '../ledger.js'
import { ROOT } from '../processes.js'
import { BACKENDS, gatewayEnv, openStore, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { alternate, ratiosOf } from '../stats.js'
import { atLeast, type Line } from '../table.js'
import { sendLogEvents } from './fill.js'

const TARGET = 0.7
const CONCURRENCY: number = ConfigSchema.properties.FORWARDER_CONCURRENCY.default
const LOOP = 'SDK loop'
type Side = Backend | typeof LOOP

async function drainGateway (bench: Bench, sandbox: Server, backend: Backend): Promise<Drain> {
  const store = await openStore(bench.processes, backend)
  const web = await startGateway(bench.processes, { sandbox, store, forwarder: 'off' })
  await sendLogEvents(bench, web, bench.items)
  await web.stop()
  const drained = watchDrain(sandbox, bench.items)
  const worker = await startGateway(bench.processes, { sandbox, store, forwarder: 'only' })
  try {
    return await drained
  } finally {
    await worker.kill()
    await store.drop()
  }
}

export const delivery: Row = {
  name: 'delivery',
  title: 'a backlog delivered by a worker alone, against a loop over PutLogEvents',
  async run (bench) {
    return []
  }
}
