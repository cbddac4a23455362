import { Type, type Static, type TInteger } from '@sinclair/typebox'
import { DEAD_LETTER_REASONS, INVALID_ITEM_REASONS, REJECTION_REASONS } from './reasons.js'
import { API_ERRORS } from './error-table.js'
import { ref, stringEnum } from './common.js'
import { mayHave, type ResponseHeader } from './response-headers.js'

/** Items that one answer names of those that were not accepted; it counts the others. */
export const MAX_REJECTED_ENTRIES = 100

const REASONS = [...new Set([...INVALID_ITEM_REASONS, ...REJECTION_REASONS, ...DEAD_LETTER_REASONS])]
/** Why an item was not accepted, or not delivered while its client waited. */
export type RejectedItemReason = typeof REASONS[number]

export const RejectedItemSchema = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'Index of the item in the request.' }),
  reason: stringEnum(REASONS),
  message: Type.String({ description: 'Names the field and the rule.' })
}, {
  $id: 'RejectedItem',
  additionalProperties: false,
  examples: [{ index: 3, reason: 'too-old', message: 'logEvents[3].timestamp is more than 14 days ago.' }]
})

const ItemCounts = {
  accepted: Type.Integer({ minimum: 0, description: 'Items stored durably.' }),
  rejected: Type.Array(ref(RejectedItemSchema), {
    maxItems: MAX_REJECTED_ENTRIES, description: 'The items that were not accepted, those with the lowest indexes.'
  }),
  rejectedCount: Type.Optional(Type.Partial(Type.Object(
    Object.fromEntries(
      REASONS.map(reason => [reason, Type.Integer({ minimum: 1 })])
    ) as Record<RejectedItemReason, TInteger>,
    {
      additionalProperties: false,
      description: 'By reason: all items that were not accepted, also those that "rejected" does not name. Absent ' +
        'when there is none.'
    }
  )))
}

export const IntakeAnswerSchema = Type.Object({
  ResponseMetadata: Type.Object({
    RequestId: Type.String({
      description: 'AWS\'s own when "Prefer: wait" was asked for and met, else the gateway\'s.'
    })
  }, { additionalProperties: false }),
  ...ItemCounts
}, {
  $id: 'IntakeAnswer',
  additionalProperties: false,
  examples: [{ ResponseMetadata: { RequestId: '5f3c2f0e-6c8e-4a44-9d2c-0b1f7f2f7f10' }, accepted: 2, rejected: [] }]
})
export type IntakeAnswer = Static<typeof IntakeAnswerSchema>

/** The headers of every answer to a request with items, by the budgets of its application. */
export const INTAKE_HEADERS: ResponseHeader[] = ['X-Budget-Warning']

/** The answer to a request whose items are stored. */
export function intakeAnswer (description: string) {
  return { description, ...ref(IntakeAnswerSchema), ...mayHave('Preference-Applied', 'Idempotency-Replayed') }
}

/** Nothing of the request was stored. */
export const IntakeErrorSchema = Type.Object({
  error: Type.Object({ code: Type.Integer(), message: Type.String() }, { additionalProperties: false }),
  accepted: Type.Optional(ItemCounts.accepted),
  rejected: Type.Optional(ItemCounts.rejected),
  rejectedCount: ItemCounts.rejectedCount
}, {
  $id: 'IntakeError',
  additionalProperties: false,
  examples: [{
    error: { code: API_ERRORS.allItemsRejected.code, message: API_ERRORS.allItemsRejected.message },
    accepted: 0,
    rejected: [{ index: 0, reason: 'invalid-item', message: 'logEvents[0].message must be a string.' }],
    rejectedCount: { 'invalid-item': 1 }
  }]
})

/** Never referred to by name: only a schema inside the route has its header names made lower case. */
export const IntakeHeadersSchema = Type.Object({
  prefer: Type.Optional(Type.String({
    description: '"wait=N" (RFC 7240): answer after delivery, or after N seconds, at most 30.', examples: ['wait=5']
  })),
  // Without an example: the documentation page would fill it in, and its second request would repeat the first.
  'idempotency-key': Type.Optional(Type.String({
    minLength: 1,
    maxLength: 255,
    description: 'A request repeated with the same key within 24 h is stored once and answered as the first was. ' +
      'With other items it is refused. A new key for each new request.'
  }))
})
