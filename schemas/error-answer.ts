import { Type, type Static } from '@sinclair/typebox'
import { API_ERRORS } from './error-table.js'

/** `schemas` may read the table of errors as it reads the limits: both are constants. */
export const ErrorAnswerSchema = Type.Object({
  error: Type.Object({
    code: Type.Integer({ description: 'Stable; see docs/api.md.' }),
    message: Type.String()
  }, { additionalProperties: false })
}, {
  $id: 'ErrorAnswer',
  additionalProperties: false,
  examples: [{ error: { code: API_ERRORS.accessTokenMissing.code, message: API_ERRORS.accessTokenMissing.message } }]
})
export type ErrorAnswer = Static<typeof ErrorAnswerSchema>
