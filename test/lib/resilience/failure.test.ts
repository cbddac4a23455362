import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { classifyFailure, type FailureClass } from '../../../lib/resilience/failure.js'
import { awsClientOptions } from '../../../lib/delivery/aws-client-options.js'
import { listen } from '../../helpers/http-answer.js'

const settings = {
  credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  ...awsClientOptions({ region: 'eu-west-1', requestTimeoutMs: 200 })
}

async function putLogEvents (endpoint: string, overrides: object = {}, abortSignal?: AbortSignal): Promise<unknown> {
  const client = new CloudWatchLogsClient({ ...settings, endpoint, ...overrides })
  try {
    await client.send(
      new PutLogEventsCommand({ logGroupName: 'g', logStreamName: 's', logEvents: [{ timestamp: 1, message: 'm' }] }),
      { abortSignal }
    )
  } catch (error) {
    return error
  } finally {
    client.destroy()
  }
  throw new Error('the call should have failed')
}

async function putMetricData (endpoint: string): Promise<unknown> {
  const client = new CloudWatchClient({ ...settings, endpoint })
  try {
    await client.send(new PutMetricDataCommand({ Namespace: 'n', MetricData: [{ MetricName: 'm', Value: 1 }] }))
  } catch (error) {
    return error
  } finally {
    client.destroy()
  }
  throw new Error('the call should have failed')
}

function json (status: number, type: string, headers: Record<string, string> = {}): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...headers })
    response.end(JSON.stringify({ __type: type, message: `this is ${type}` }))
  }
}

function html (status: number): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'text/html' })
    response.end('<html><body>not what you asked for</body></html>')
  }
}

t.test('every error that CloudWatch Logs names has its class', async t => {
  const named: Array<[number, string, FailureClass]> = [
    [400, 'ThrottlingException', 'throttle'],
    [400, 'LimitExceededException', 'throttle'],
    [429, 'TooManyRequestsException', 'throttle'],
    [503, 'ServiceUnavailableException', 'unavailable'],
    [500, 'InternalFailure', 'unavailable'],
    [400, 'AccessDeniedException', 'denied'],
    [400, 'ExpiredTokenException', 'denied'],
    [400, 'UnrecognizedClientException', 'denied'],
    [403, 'InvalidSignatureException', 'denied'],
    [403, 'IncompleteSignatureException', 'denied'],
    [403, 'MissingAuthenticationTokenException', 'denied'],
    [403, 'OptInRequired', 'denied'],
    [400, 'InvalidParameterException', 'invalid'],
    [400, 'ValidationException', 'invalid'],
    [400, 'SerializationException', 'invalid'],
    [413, 'RequestEntityTooLargeException', 'invalid'],
    [400, 'ResourceNotFoundException', 'missing'],
    [400, 'ResourceAlreadyExistsException', 'exists'],
    [400, 'OperationAbortedException', 'conflict'],
    [400, 'DataAlreadyAcceptedException', 'already-accepted'],
    [400, 'InvalidSequenceTokenException', 'sequence'],
    [400, 'com.amazonaws.logs#ResourceNotFoundException', 'missing'],
    [400, 'NobodyHasSeenThisException', 'unavailable']
  ]
  for (const [status, type, expected] of named) {
    const failure = classifyFailure(await putLogEvents(await listen(t, json(status, type))))
    t.equal(failure.class, expected, `${status} ${type}`)
    t.match(failure.message, `this is ${type}`)
  }
})

t.test('a signature that is refused for its time alone is no lack of permission', async t => {
  for (const message of [
    'Signature expired: 20261130T000000Z is now earlier than 20261130T025500Z',
    'Signature not yet current: 20261130T060000Z is still later than 20261130T030500Z'
  ]) {
    const failure = classifyFailure(Object.assign(new Error(message), {
      name: 'InvalidSignatureException', $metadata: { httpStatusCode: 403 }
    }))
    t.match(failure, { class: 'unavailable', name: 'InvalidSignatureException' }, message)
  }
})

t.test('CloudWatch names its errors as the query protocol did', async t => {
  const named: Array<[number, string, string, FailureClass]> = [
    [400, 'ThrottlingException', 'Throttling;Sender', 'throttle'],
    [400, 'InvalidParameterValueException', 'InvalidParameterValue;Sender', 'invalid'],
    [400, 'InvalidParameterCombinationException', 'InvalidParameterCombination;Sender', 'invalid'],
    [400, 'InvalidFormatFault', 'InvalidFormat;Sender', 'invalid'],
    [400, 'MissingRequiredParameterException', 'MissingParameter;Sender', 'invalid'],
    [403, 'AccessDeniedException', 'AccessDenied;Sender', 'denied'],
    [403, 'InvalidClientTokenIdException', 'InvalidClientTokenId;Sender', 'denied'],
    [403, 'ExpiredTokenException', 'ExpiredToken;Sender', 'denied'],
    [403, 'SignatureDoesNotMatchException', 'SignatureDoesNotMatch;Sender', 'denied'],
    [500, 'InternalServiceFault', 'InternalServiceFault;Receiver', 'unavailable']
  ]
  for (const [status, type, query, expected] of named) {
    const error = await putMetricData(await listen(t, json(status, type, { 'x-amzn-query-error': query })))
    t.equal(classifyFailure(error).class, expected, query)
    t.equal(classifyFailure(await putMetricData(await listen(t, json(status, type)))).class, expected, type)
  }
})

t.test('an answer that is not of AWS', async t => {
  const statuses: Array<[number, FailureClass]> = [
    [200, 'unavailable'],
    [400, 'unavailable'],
    [404, 'unavailable'],
    [500, 'unavailable'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
    [401, 'denied'], [403, 'denied'], [413, 'invalid'], [429, 'throttle']
  ]
  for (const [status, expected] of statuses) {
    const failure = classifyFailure(await putLogEvents(await listen(t, html(status))))
    t.equal(failure.class, expected, `HTML with ${status}`)
    t.match(failure.message, String(status), 'the message names the status')
    t.notMatch(failure.message, '<html>', 'and not the body')
  }
  const cutShort = await listen(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' })
    response.end('{"nextSequenceTo')
  })
  t.equal(classifyFailure(await putLogEvents(cutShort)).class, 'unavailable', 'JSON that is cut short')
})

t.test('no answer at all', async t => {
  const unavailable = async (t: Test, error: unknown, message: RegExp): Promise<void> => {
    const failure = classifyFailure(error)
    t.equal(failure.class, 'unavailable')
    t.match(failure.message, message)
  }
  await unavailable(t, await putLogEvents(await listen(t, request => request.socket.resetAndDestroy())), /ECONNRESET/)
  await unavailable(t, await putLogEvents(await listen(t, request => request.socket.end())), /ECONNRESET|hang up/)
  await unavailable(t, await putLogEvents('http://127.0.0.1:1'), /ECONNREFUSED/)
  await unavailable(t, await putLogEvents(await listen(t, () => {})), /Timeout/)
  await unavailable(t, await putLogEvents(await listen(t, () => {}), {}, AbortSignal.timeout(50)), /Abort/)
})

t.test('credentials that cannot be found are denied', async t => {
  const failure = classifyFailure(await putLogEvents('http://127.0.0.1:1', {
    credentials: async () => {
      throw Object.assign(new Error('Could not load credentials from any providers'), {
        name: 'CredentialsProviderError'
      })
    }
  }))
  t.equal(failure.class, 'denied')
  t.match(failure.message, 'Could not load credentials')
})

t.test('what was thrown need not be an error', async t => {
  for (const thrown of [undefined, null, 'text', 42, {}, { name: 5, message: {} }]) {
    t.equal(classifyFailure(thrown).class, 'unavailable', JSON.stringify(thrown) ?? 'undefined')
  }
  for (const code of ['EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH']) {
    const failure = classifyFailure(Object.assign(new AggregateError([], ''), { code }))
    t.equal(failure.class, 'unavailable')
    t.match(failure.message, code, 'it has a message even when the error has none')
  }
})

t.test('the message is bounded', async t => {
  t.equal(classifyFailure(new Error('x'.repeat(10_000))).message.length, 512)
})

t.test('the Retry-After of the server is read, in seconds or as a date', async t => {
  const hinted = async (headers: Record<string, string>): Promise<number | undefined> =>
    classifyFailure(await putLogEvents(await listen(t, json(503, 'ServiceUnavailableException', headers)))).retryAfterMs
  t.equal(await hinted({ 'Retry-After': '7' }), 7_000)
  t.equal(await hinted({ 'retry-after': '0.5' }), 500)
  t.equal(
    await hinted({ Date: 'Wed, 21 Oct 2026 07:28:00 GMT', 'Retry-After': 'Wed, 21 Oct 2026 07:28:09 GMT' }), 9_000
  )
  t.equal(await hinted({ 'Retry-After': 'soon' }), undefined)
  t.equal(await hinted({ 'Retry-After': '-3' }), undefined)
  t.equal(await hinted({}), undefined)
})

t.test('a failure has the name of its error, or the code of the network, and nothing that could be anything else', async t => {
  const named: Array<[unknown, string | undefined]> = [
    [Object.assign(new Error('no'), { name: 'AccessDeniedException' }), 'AccessDeniedException'],
    [Object.assign(new Error('cut'), { name: 'TimeoutError', code: 'ECONNRESET' }), 'ECONNRESET'],
    [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [Object.assign(new Error('late'), { name: 'TimeoutError' }), 'TimeoutError'],
    [Object.assign(new SyntaxError('<html>'), { $response: { statusCode: 403 } }), 'HTTP-403'],
    [Object.assign(new Error('no'), { name: '<script>alert(1)</script>' }), undefined],
    [new Error('no'), undefined],
    ['no', undefined]
  ]
  for (const [error, name] of named) t.equal(classifyFailure(error).name, name, String(error))
})

t.test('the command that was to give credentials is never shown, nor what it has written', async t => {
  const error = Object.assign(new Error('Command failed: get-credentials --password hidden\nhidden, too'), {
    name: 'CredentialsProviderError'
  })
  t.match(classifyFailure(error), { class: 'denied', message: 'CredentialsProviderError: the command has failed' })
})
