import { Type, type Static } from '@sinclair/typebox'
import { ref } from './common.js'

const id = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 256, description }))

export const RevocationRequestSchema = Type.Object({
  jti: id('Of an access token, or of a client token and all access tokens that it was traded for.'),
  application: id('All its tokens, client tokens included.'),
  issuedBefore: Type.Optional(Type.String({
    maxLength: 64,
    description: 'ISO 8601: only tokens issued before; without an application, those of all. Now when absent. Access ' +
      'tokens say when they were issued to the second.'
  }))
}, {
  $id: 'RevocationRequest',
  additionalProperties: false,
  examples: [{ application: 'shop' }, { jti: '5f3c2f0e-6c8e-4a44-9d2c-0b1f7f2f7f10' }]
})

const SAMPLE = {
  application: 'shop',
  issuedBefore: '2026-11-22T10:00:00.000Z',
  revokedAt: '2026-11-22T10:00:00.000Z',
  expiresAt: '2026-11-23T10:00:00.000Z'
}
export type RevocationRequest = Static<typeof RevocationRequestSchema>

export const RevocationSchema = Type.Object({
  jti: Type.Optional(Type.String()),
  application: Type.Optional(Type.String()),
  issuedBefore: Type.Optional(Type.String({ format: 'date-time' })),
  revokedAt: Type.String({ format: 'date-time' }),
  expiresAt: Type.String({
    format: 'date-time', description: 'From then on all tokens that it speaks of have expired.'
  })
}, { $id: 'Revocation', additionalProperties: false, examples: [SAMPLE] })
export type RevocationSummary = Static<typeof RevocationSchema>

export const RevocationListSchema = Type.Object({
  revocations: Type.Array(ref(RevocationSchema), { description: 'Those in force, the latest first.' })
}, { $id: 'RevocationList', additionalProperties: false, examples: [{ revocations: [SAMPLE] }] })
