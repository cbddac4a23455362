/** `identity` is STS and IAM, which speak the query protocol. */
export type Service = 'cloudwatch' | 'logs' | 'identity'

/** An error answer of the API, by AWS's own name. */
export class AwsError extends Error {
  override name = 'AwsError'
  /**
   * @param status HTTP status
   * @param code the error's shape name, such as InvalidParameterValueException
   */
  constructor (readonly status: number, readonly code: string, message: string) {
    super(message)
  }
}

/** The codes that CloudWatch had in its query protocol and still sends along, where they are not the shape name. */
const QUERY_CODES: Record<string, string> = {
  InvalidParameterValueException: 'InvalidParameterValue',
  InvalidParameterCombinationException: 'InvalidParameterCombination',
  MissingRequiredParameterException: 'MissingParameter',
  InvalidFormatFault: 'InvalidFormat',
  ValidationException: 'ValidationError',
  LimitExceededFault: 'LimitExceeded',
  InternalServiceFault: 'InternalServiceError',
  ThrottlingException: 'Throttling',
  AccessDeniedException: 'AccessDenied',
  ExpiredTokenException: 'ExpiredToken',
  UnrecognizedClientException: 'InvalidClientTokenId',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  ServiceUnavailableException: 'ServiceUnavailable'
}

/** The name of an error in the query protocol. */
export function queryCode ({ code }: AwsError): string {
  return QUERY_CODES[code] ?? code
}

/** The value of `x-amzn-query-error` that goes with an error of CloudWatch. */
export function queryError (error: AwsError): string {
  return `${queryCode(error)};${error.status < 500 ? 'Sender' : 'Receiver'}`
}

/** The error for a body that is no JSON, or has a member of another type than the action's shape says. */
export function serializationError (message: string): AwsError {
  return new AwsError(400, 'SerializationException', message)
}

export function unknownOperation (target: string): AwsError {
  return new AwsError(400, 'UnknownOperationException', `The sandbox has no operation ${target}`)
}

export function entityTooLarge (limit: number): AwsError {
  return new AwsError(413, 'RequestEntityTooLarge', `The request body is larger than ${limit} bytes`)
}

/** The signature is of another time than that of AWS. Logs says 400, the others 403, as the query protocol does. */
export function wrongTime (service: Service, message: string): AwsError {
  return new AwsError(service === 'logs' ? 400 : 403, 'InvalidSignatureException', message)
}

/** Errors of CloudWatch. */
export const cloudwatch = {
  invalidValue: (message: string) => new AwsError(400, 'InvalidParameterValueException', message),
  invalidCombination: (message: string) => new AwsError(400, 'InvalidParameterCombinationException', message),
  missing: (message: string) => new AwsError(400, 'MissingRequiredParameterException', message),
  validation: (message: string) => new AwsError(400, 'ValidationException', message),
  invalidNextToken: () => new AwsError(400, 'InvalidNextToken', 'The next token is not valid')
}

/** Errors of CloudWatch Logs. */
export const logs = {
  invalidParameter: (message: string) => new AwsError(400, 'InvalidParameterException', message),
  constraint: (value: unknown, path: string, constraint: string) => new AwsError(400, 'InvalidParameterException',
    `1 validation error detected: Value ${value === null ? 'null' : `'${String(value)}'`} at '${path}' failed to ` +
      `satisfy constraint: ${constraint}`),
  noGroup: () => new AwsError(400, 'ResourceNotFoundException', 'The specified log group does not exist.'),
  noStream: () => new AwsError(400, 'ResourceNotFoundException', 'The specified log stream does not exist.'),
  noKey: () => new AwsError(400, 'InvalidParameterException', 'The specified KMS Key Id could not be found.'),
  groupExists: () => new AwsError(400, 'ResourceAlreadyExistsException', 'The specified log group already exists'),
  streamExists: () => new AwsError(400, 'ResourceAlreadyExistsException', 'The specified log stream already exists')
}
