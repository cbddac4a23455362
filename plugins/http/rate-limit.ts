import fastifyRateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { LRUCache } from 'lru-cache'
import { monotonicNow } from '../../lib/clock.js'
import { readAddress } from '../../lib/http/address.js'
import { ApiError } from '../../lib/http/api-error.js'
import { WindowCounters, type WindowCount } from '../../lib/state/window-counters.js'
import type { Principal } from '../../lib/access/access-tokens.js'
import type { Grant } from '../../lib/access/client-tokens.js'

declare module 'fastify' {
  interface FastifyInstance { quotas: ReturnType<typeof createQuotas> }
  interface FastifyRequest {
    /** The client's IP; null when what a proxy has written is none. */
    readonly address: string | null
  }
}

const MINUTE_MS = 60_000
const ADDRESS_PREFIX = 'ip:'
/** Bytes of bodies without a token, as inflated, that count as one request. */
const CHARGED_BYTES = 16_384
/** A network of this size is one client: providers give it to a single household. */
const IPV6_PREFIX = 64
/** The network of all clients whose proxy writes no address. */
const NO_NETWORK = 'unknown'
/** Addresses whose network is remembered. */
const MAX_ADDRESSES = 10_000

/** @param ip as a proxy has written it */
function readNetwork (ip: string): string {
  const address = readAddress(ip)
  return address === null ? NO_NETWORK : normalizeIP(address, IPV6_PREFIX)
}

type Done = (error: Error | null, result?: { current: number, ttl: number }) => void

/** The store of @fastify/rate-limit, which waits for no call. */
function createStore (counters: WindowCounters) {
  return class Store {
    readonly #prefix: string

    constructor (_options: unknown, prefix = ADDRESS_PREFIX) {
      this.#prefix = prefix
    }

    incr (key: string, done: Done, windowMs: number): void {
      const { count, endsInMs } = counters.hit(this.#prefix + key, windowMs)
      done(null, { current: count, ttl: endsInMs })
    }

    child (options: object): Store {
      const { routeInfo } = options as { routeInfo: { method?: string, url?: string } }
      return new Store(undefined, `${this.#prefix}${routeInfo.method} ${routeInfo.url}:`)
    }
  }
}

/**
 * @param addressLimit requests per minute and address, 0 for no limit
 * @param networkOf the address under which the requests of an IP are counted
 */
function createQuotas (counters: WindowCounters, addressLimit: number, networkOf: (ip: string) => string) {
  /** Of each request, the bytes that are counted for its address. */
  const charged = new WeakMap<FastifyRequest, number>()

  /** @throws ApiError tooManyRequests */
  function check (key: string, limit: number, of: string, reply: FastifyReply): void {
    const { count, endsInMs } = counters.hit(key, MINUTE_MS)
    const remaining = Math.max(0, limit - count)
    const known = reply.getHeader('x-ratelimit-remaining')
    const seconds = Math.ceil(endsInMs / 1000)
    // The headers speak of the limit that is nearest.
    if (known === undefined || remaining <= Number(known)) {
      reply.headers({ 'x-ratelimit-limit': limit, 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': seconds })
    }
    if (count > limit) {
      throw new ApiError('tooManyRequests', {
        message: `Too many requests of this ${of}: wait for as many seconds as "Retry-After" says.`, retryAfter: seconds
      })
    }
  }

  return {
    /**
     * Counts bytes that are read before it is known who sends them: each CHARGED_BYTES as a request of the address.
     * @throws ApiError tooManyRequests
     */
    chargeAddress (request: FastifyRequest, bytes: number): void {
      if (addressLimit === 0) return
      const before = charged.get(request) ?? 0
      charged.set(request, before + bytes)
      const by = Math.floor((before + bytes) / CHARGED_BYTES) - Math.floor(before / CHARGED_BYTES)
      if (by === 0) return
      const { count, endsInMs } = counters.hit(ADDRESS_PREFIX + networkOf(request.ip), MINUTE_MS, by)
      if (count > addressLimit) throw new ApiError('tooManyRequests', { retryAfter: Math.ceil(endsInMs / 1000) })
    },

    /** The hits that were counted under a name for the address of a request, in the last minute. */
    addressHits (name: string, { ip }: FastifyRequest): WindowCount {
      return counters.look(`${name}:${networkOf(ip)}`)
    },

    hitAddress (name: string, { ip }: FastifyRequest): void {
      counters.hit(`${name}:${networkOf(ip)}`, MINUTE_MS)
    },

    /**
     * Counts a request of this token and of its application.
     * @throws ApiError tooManyRequests
     */
    admit ({ application, grant }: Principal, reply: FastifyReply): void {
      const { perMinute, perTokenPerMinute } = application.rateLimits
      if (perTokenPerMinute !== undefined) check(`token:${grant}`, perTokenPerMinute, 'token', reply)
      if (perMinute !== undefined) check(`application:${application.id}`, perMinute, 'application', reply)
    },

    /**
     * Counts a trade of this client token, apart from the requests with what it is traded for.
     * @throws ApiError tooManyRequests
     */
    admitTrade ({ application, id }: Grant, reply: FastifyReply): void {
      const { perMinute, perTokenPerMinute } = application.rateLimits
      if (perTokenPerMinute !== undefined) check(`trade:${id}`, perTokenPerMinute, 'token', reply)
      if (perMinute !== undefined) check(`trades:${application.id}`, perMinute, 'application', reply)
    }
  }
}

/**
 * Owns `fastify.quotas`, `request.address`, and the limit on requests of one IP in a minute, over all processes of a
 * primary or of a Redis.
 */
async function rateLimit (fastify: FastifyInstance): Promise<void> {
  const { RATE_LIMIT_PER_MINUTE } = fastify.config
  const counters = new WindowCounters(fastify.state, monotonicNow)
  const networks = new LRUCache<string, string>({ max: MAX_ADDRESSES, memoMethod: readNetwork })
  fastify.addHook('onClose', async () => counters.close())
  const networkOf = (ip: string): string => networks.memo(ip)
  fastify.decorate('quotas', createQuotas(counters, RATE_LIMIT_PER_MINUTE, networkOf))
  fastify.decorateRequest('address', { getter () { return readAddress(this.ip) } })

  await fastify.register(fastifyRateLimit, {
    global: false,
    max: RATE_LIMIT_PER_MINUTE,
    timeWindow: MINUTE_MS,
    store: createStore(counters),
    keyGenerator: ({ ip }) => networkOf(ip),
    errorResponseBuilder: (_request, { ttl }) => new ApiError('tooManyRequests', { retryAfter: Math.ceil(ttl / 1000) })
  })
  if (RATE_LIMIT_PER_MINUTE === 0) return
  // A hook of the app comes before those of its routes, and so before any look at a token.
  const limit = fastify.rateLimit()
  fastify.addHook('onRequest', async function limitAddress (request, reply) {
    if (
      request.is404 || request.routeOptions.config.forServers === true ||
      request.routeOptions.config.rateLimit !== undefined
    ) {
      return
    }
    await limit.call(this, request, reply)
  })
}

export default fp(rateLimit, { name: 'rate-limit', dependencies: ['config', 'state', 'errors', 'cors'] })
