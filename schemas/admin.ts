import { Type, type Static } from '@sinclair/typebox'
import { ref, stringEnum } from './common.js'
import { KINDS } from './kinds.js'
import { DEAD_LETTER_REASONS } from './reasons.js'

/** Letters on one page. */
const MAX_PAGE = 500

const DeadLetterFields = {
  id: Type.String(),
  kind: stringEnum(KINDS),
  destination: Type.String({ description: 'A namespace, or "logGroup:logStream".' }),
  reason: stringEnum(DEAD_LETTER_REASONS),
  message: Type.String({ description: 'What refused it.' }),
  items: Type.Integer({ minimum: 0 }),
  bytes: Type.Integer({ minimum: 0 }),
  at: Type.String({ format: 'date-time' })
}

const SAMPLE = {
  id: '1795330800123-0',
  kind: 'logs',
  destination: '/web/shop:browser',
  reason: 'refused',
  message: 'InvalidParameterException: …',
  items: 1,
  bytes: 61,
  at: '2026-11-22T10:00:00.123Z'
}

export const DeadLetterSummarySchema = Type.Object(DeadLetterFields, {
  $id: 'DeadLetterSummary', additionalProperties: false, examples: [SAMPLE]
})
export type DeadLetterSummary = Static<typeof DeadLetterSummarySchema>

export const DeadLetterSchema = Type.Object({
  ...DeadLetterFields,
  record: Type.String({ description: 'The record as it was stored.' })
}, {
  $id: 'DeadLetter', additionalProperties: false, examples: [{ ...SAMPLE, record: '{"v":1,"e":[[1795330800123,"…"]]}' }]
})

export const DeadLetterPageSchema = Type.Object({
  deadLetters: Type.Array(ref(DeadLetterSummarySchema)),
  next: Type.Union([Type.String(), Type.Null()], { description: 'The cursor of the next page; null on the last.' })
}, { $id: 'DeadLetterPage', additionalProperties: false, examples: [{ deadLetters: [SAMPLE], next: null }] })

const FilterFields = {
  kind: Type.Optional(stringEnum(KINDS)),
  destination: Type.Optional(Type.String()),
  reason: Type.Optional(stringEnum(DEAD_LETTER_REASONS))
}

export const DeadLetterQuerySchema = Type.Object({
  ...FilterFields,
  limit: Type.Optional(Type.String({
    pattern: '^[1-9]\\d{0,2}$', description: `Letters on a page, at most ${MAX_PAGE}; 100 when absent.`
  })),
  cursor: Type.Optional(Type.String())
}, { additionalProperties: false })

export const DeadLetterSelectionSchema = Type.Object({
  ...FilterFields,
  ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 1_000 })),
  all: Type.Optional(Type.Boolean({ description: 'Has to be true when nothing else is given.' }))
}, { $id: 'DeadLetterSelection', additionalProperties: false, examples: [{ kind: 'logs', reason: 'refused' }] })
export type DeadLetterSelection = Static<typeof DeadLetterSelectionSchema>

export const DeadLetterCountSchema = Type.Object({
  count: Type.Integer({ minimum: 0, description: 'Letters.' })
}, { $id: 'DeadLetterCount', additionalProperties: false, examples: [{ count: 12 }] })
