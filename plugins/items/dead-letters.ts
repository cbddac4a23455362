import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import type { DeadLetter, DeadLetterFilter, Spool } from '../../lib/spool/spool.js'
import type { DeadLetterSelection, DeadLetterSummary } from '../../schemas/admin.js'

declare module 'fastify' {
  interface FastifyInstance { deadLetters: ReturnType<typeof createDeadLetters> }
}

const EVICT_EVERY_MS = 60_000
const PAGE = 100

function summarize ({ line: _line, application: _application, at, ...rest }: DeadLetter): DeadLetterSummary {
  return { ...rest, at: new Date(at).toISOString() }
}

/** A selection without a condition has to say that it means all dead letters. */
function toFilter ({ all, ...filter }: DeadLetterSelection): DeadLetterFilter {
  if (Object.keys(filter).length === 0 && all !== true) {
    throw new ApiError('invalidRequest', {
      message: 'body must name kind, destination, reason or ids, or say "all": true.'
    })
  }
  return filter
}

function createDeadLetters ({ deadLetters }: Spool) {
  return {
    async list ({ limit, cursor, ...filter }: DeadLetterFilter & { limit?: string, cursor?: string }) {
      const page = await deadLetters.list(filter, {
        limit: Number(limit ?? PAGE), ...(cursor === undefined ? {} : { cursor })
      })
      return { deadLetters: page.deadLetters.map(summarize), next: page.next }
    },

    /** @throws ApiError notFound */
    async get (id: string) {
      const letter = await deadLetters.get(id)
      if (letter === null) throw new ApiError('notFound', { message: `There is no dead letter "${id}".` })
      return { ...summarize(letter), record: letter.line }
    },

    async redrive (selection: DeadLetterSelection) {
      return { count: await deadLetters.redrive(toFilter(selection)) }
    },

    async delete (selection: DeadLetterSelection) {
      return { count: await deadLetters.delete(toFilter(selection)) }
    }
  }
}

/** Owns `fastify.deadLetters`: lists, redrives and deletes dead letters for operators, and evicts the oldest. */
async function deadLetters (fastify: FastifyInstance): Promise<void> {
  const { spool, log } = fastify
  fastify.decorate('deadLetters', createDeadLetters(spool))
  const timer = setInterval(() => {
    spool.deadLetters.evict().then(({ count, items }) => {
      if (count > 0) {
        log.warn({ count, items }, 'dead letters were evicted: they were older or took more bytes than configured')
      }
    }, () => {})
  }, EVICT_EVERY_MS).unref()
  fastify.addHook('onClose', async () => clearInterval(timer))
}

export default fp(deadLetters, { name: 'dead-letters', dependencies: ['spool', 'errors'] })
