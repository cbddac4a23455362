import { Type, type Static } from '@sinclair/typebox'

export const TokenRequestSchema = Type.Object({
  clientToken: Type.String({
    description: 'A JWT (HS256, signed with a client secret; "iss" or "sub" is the application, "exp" at most a day ' +
      'after "iat", by a clock that is at most five minutes ahead, "scope" may narrow namespaces, logGroups, ' +
      'logStreams), or base64( timestamp "::" salt "::" base64( sha256( timestamp salt secret ) ) ), timestamp in ' +
      'Unix milliseconds, valid for a day. The example shows the form: it is of another secret, and old.'
  })
}, {
  $id: 'TokenRequest',
  additionalProperties: false,
  examples: [{ clientToken: 'MTc5NTMzMDgwMDEyMzo6c2FsdDo6Mk9KeUk4TnM0MnNpUGVpUk5xY1l0UT09' }]
})
export type TokenRequest = Static<typeof TokenRequestSchema>

export const TokenAnswerSchema = Type.Object({
  accessToken: Type.String({
    description: 'A JWT; send it as "Authorization: Bearer …", as "accessToken" in the body, or as "accessToken" in ' +
      'the query.'
  })
}, {
  $id: 'TokenAnswer',
  additionalProperties: false,
  examples: [{ accessToken: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZWZhdWx0In0.c2lnbmF0dXJl' }]
})
export type TokenAnswer = Static<typeof TokenAnswerSchema>
