import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { requireScope } from '../../lib/access/scope.js'
import type { IntakeContext } from '../../lib/intake/intake-context.js'
import { Intake, type IntakeResult } from '../../lib/intake/intake.js'
import { canonicalJson, hashOf } from '../../lib/intake/request-digest.js'
import { readPreferWait } from '../../lib/http/prefer-header.js'
import type { IntakeAnswer } from '../../schemas/intake.js'

declare module 'fastify' {
  interface FastifyInstance { intake: Intake }
  interface FastifyRequest { intakeContext: () => IntakeContext }
  interface FastifyReply { sendIntake: (result: IntakeResult, wait: number) => IntakeAnswer }
}

/** The context of this request's items, from its headers and its token. */
function intakeContext (this: FastifyRequest): IntakeContext {
  const { origin, prefer, 'idempotency-key': idempotencyKey } = this.headers
  const principal = this.principal!
  const { application, scope } = principal
  // A token that is renewed has the same scope, and its page the same origin.
  const boundKey = idempotencyKey === undefined
    ? undefined
    : hashOf(application.id, canonicalJson(scope), origin ?? '', idempotencyKey as string)
  return {
    requestId: this.id,
    application,
    requireScope: (list, name) => requireScope(principal, list, name),
    clientInfo: this,
    idempotencyKey: boundKey,
    shardKey: boundKey ?? this.id,
    wait: readPreferWait(prefer as string | undefined),
    bodyText: this.bodyText
  }
}

function sendIntake (this: FastifyReply, result: IntakeResult, wait: number): IntakeAnswer {
  this.code(201)
  if (result.delivered) this.header('Preference-Applied', `wait=${wait}`)
  if (result.replayed) this.header('Idempotency-Replayed', 'true')
  return result.answer
}

/** Owns `fastify.intake`, which stores the items of a request, `request.intakeContext` and `reply.sendIntake`. */
async function intake (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('intake', new Intake(fastify.spool, fastify.receipts, fastify.prometheus))
  fastify.decorateRequest('intakeContext', intakeContext)
  fastify.decorateReply('sendIntake', sendIntake)
}

export default fp(intake, { name: 'intake', dependencies: ['body', 'spool', 'receipts', 'token', 'prometheus'] })
