import t from 'tap'
import { RemoteSeriesTable, serveSeriesTable } from '../../../../lib/policy/cardinality/remote-series-table.js'
import { AS_IT_IS, LocalSeriesTable, type SeriesClaim } from '../../../../lib/policy/cardinality/series-table.js'
import { channelPair } from '../../../helpers/channel-pair.js'

const claim = (page: string): SeriesClaim => ({ application: 'shop', scope: 's', limit: 2, pairs: [['Page', page]] })

t.test('a limit on series holds over all processes; one that is left alone goes on by itself', async t => {
  const table = new LocalSeriesTable()
  const open = () => {
    const [near, far] = channelPair()
    serveSeriesTable(near, table)
    return { far, table: new RemoteSeriesTable(far) }
  }
  const [one, other] = [open(), open()]
  t.same(await one.table.claim(1, [claim('/a')]), [AS_IT_IS])
  t.same(await other.table.claim(1, [claim('/b'), claim('/a')]), [AS_IT_IS, AS_IT_IS])
  t.same(await one.table.claim(1, [claim('/c')]), [[0]], 'the third of a limit of two')
  one.far.close()
  t.same(await one.table.claim(1, [claim('/d')]), [AS_IT_IS])
})
