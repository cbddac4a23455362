/**
 * Every error that a client can meet: its HTTP status, its code and its message. Codes are never given a new meaning.
 */
export const API_ERRORS = {
  clientTokenMissing: { statusCode: 403, code: 100, message: 'Required parameter is missing: "clientToken".' },
  clientTokenInvalid: { statusCode: 401, code: 101, message: 'Required parameter "clientToken" is invalid.' },
  entitlementDenied: {
    statusCode: 402, code: 103, message: 'The metering platform does not entitle this application.'
  },
  accessTokenMissing: { statusCode: 403, code: 110, message: 'Required parameter is missing: "accessToken".' },
  accessTokenInvalid: { statusCode: 401, code: 111, message: 'Required parameter "accessToken" is invalid.' },
  adminTokenInvalid: {
    statusCode: 401, code: 112, message: 'The admin token is missing or wrong: send it as "Authorization: Bearer …".'
  },
  outOfScope: { statusCode: 403, code: 113, message: 'The access token does not allow this.' },
  originNotAllowed: { statusCode: 403, code: 114, message: 'Pages of this origin are not allowed.' },
  clientNotEntitled: { statusCode: 403, code: 115, message: 'The metering platform does not entitle this client.' },
  accessKeyInvalid: { statusCode: 401, code: 116, message: 'The access key is missing or wrong.' },
  malformedBody: { statusCode: 400, code: 120, message: 'The body cannot be read as JSON.' },
  invalidRequest: { statusCode: 400, code: 121, message: 'The request is invalid.' },
  allItemsRejected: { statusCode: 400, code: 122, message: 'Every item was rejected; see "rejected".' },
  invalidHeader: { statusCode: 400, code: 123, message: 'A header is invalid.' },
  malformedRequest: { statusCode: 400, code: 124, message: 'The request cannot be read as HTTP.' },
  idempotencyKeyReused: {
    statusCode: 422,
    code: 125,
    message: 'This Idempotency-Key was used for another request: send a new key with new items.'
  },
  requestUnderWay: {
    statusCode: 409,
    code: 126,
    message: 'The first request with this Idempotency-Key is still under way: repeat it later.'
  },
  bodyTooLarge: { statusCode: 413, code: 130, message: 'The body is too large: send fewer items in a request.' },
  unsupportedMediaType: {
    statusCode: 415, code: 131, message: 'The content type is not supported: send "application/json".'
  },
  requestTimeout: { statusCode: 408, code: 132, message: 'The request did not come in time.' },
  urlTooLong: { statusCode: 414, code: 133, message: 'The URL is too long.' },
  headersTooLarge: { statusCode: 431, code: 134, message: 'URL and headers are too large.' },
  notFound: { statusCode: 404, code: 140, message: 'There is no such route.' },
  methodNotAllowed: { statusCode: 405, code: 141, message: 'This route does not take this method.' },
  tooManyRequests: {
    statusCode: 429, code: 150, message: 'Too many requests: wait for as many seconds as "Retry-After" says.'
  },
  budgetSpent: { statusCode: 429, code: 151, message: 'The daily budget is spent: it starts anew at midnight UTC.' },
  spoolFull: { statusCode: 503, code: 160, message: 'The gateway cannot store more items now: try again later.' },
  spoolUnavailable: { statusCode: 503, code: 161, message: 'The gateway cannot reach its store: try again later.' },
  overloaded: { statusCode: 503, code: 162, message: 'The gateway is overloaded: try again later.' },
  entitlementUnknown: {
    statusCode: 503,
    code: 163,
    message: 'The metering platform cannot say now whether this application is entitled: try again later.'
  },
  awsTimeout: { statusCode: 504, code: 170, message: 'CloudWatch has not answered in time.' },
  awsFailed: { statusCode: 502, code: 171, message: 'The call to CloudWatch failed.' },
  internal: { statusCode: 500, code: 190, message: 'The gateway failed; the failure is logged.' }
} as const

export type ApiErrorName = keyof typeof API_ERRORS
