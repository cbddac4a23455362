import t from 'tap'
import { connectTo, REDIS_FORMS } from '../../../helpers/redis-forms.js'
import { redisSpools } from '../../../helpers/redis-spools.js'
import { spoolContract } from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

// One node and a cluster have files of their own, which run with every other test.
for (const form of ['Sentinel', 'a node that refuses INFO, WAIT and CONFIG'] as const) {
  const openSpool = redisSpools(await connectTo(t, await REDIS_FORMS[form](t)))
  spoolContract(openSpool)
  deadLettersContract(openSpool)
  ledgerContract(openSpool)
}
