import t from 'tap'
import { Redis } from 'ioredis'
import { redisUrl } from '../../../helpers/app.js'
import { redisSpools } from '../../../helpers/redis-spools.js'
import { spoolContract } from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

const redis = new Redis(await redisUrl(t))
t.teardown(() => redis.disconnect())

const openSpool = redisSpools(redis)
spoolContract(openSpool)
deadLettersContract(openSpool)
ledgerContract(openSpool)
