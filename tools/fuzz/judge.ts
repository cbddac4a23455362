import { API_ERRORS } from '../../schemas/error-table.js'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Answer } from './fuzz-client.js'
import type { Document, Operation, Schema } from './document.js'
import type { FuzzRequest } from './requests.js'

/**
 * Statuses of refusals before a route is found or its body read. The document does not list them for each operation.
 */
const BEFORE_ROUTES = new Set([400, 404, 405, 408, 413, 414, 415, 431])
const UNREADABLE = API_ERRORS.malformedRequest
/**
 * Headers of the connection, of the body, of CORS, and those that guard against misuse in browsers, which the document
 * does not list.
 */
const GENERAL_HEADERS = new Set([
  'connection', 'keep-alive', 'date', 'transfer-encoding', 'content-length', 'content-type', 'vary',
  'access-control-allow-origin', 'access-control-expose-headers', 'x-content-type-options',
  'cross-origin-resource-policy'
])
const ERROR: Schema = { $ref: '#/components/schemas/ErrorAnswer' }
/** Larger bodies may be cut off while the client still writes. */
const CUT_OFF_BYTES = 1_000_000
export const FORMATS = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  date: /^\d{4}-\d\d-\d\d$/
}

export interface Judge {
  /** The fault of the answer; null when it has none. */
  fault (request: FuzzRequest, answer: Answer | null): string | null
}

function typeOf (answer: Answer): string {
  return String(answer.headers['content-type'] ?? '').split(';')[0]!.trim()
}

export function createJudge (document: Document, operations: Operation[]): Judge {
  const ajv = new Ajv2020({ strict: false, formats: FORMATS })
  ajv.addSchema({ components: document.components }, 'document')
  const compiled = new Map<string, ValidateFunction>()

  function validator (schema: Schema): ValidateFunction {
    const text = JSON.stringify(schema).replaceAll('"#/', '"document#/')
    let found = compiled.get(text)
    if (found === undefined) {
      found = ajv.compile(JSON.parse(text) as object)
      compiled.set(text, found)
    }
    return found
  }

  const routes = operations.map(operation => ({
    operation,
    pattern: new RegExp(`^${operation.path.replace(/\{\w+\}/g, '[^/]+')}$`)
  }))

  /** The operation of a request; exact paths go before paths with parameters. */
  function operationOf ({ method, path }: FuzzRequest): Operation | undefined {
    const bare = path.split('?')[0]!
    const found = routes.filter(({ operation, pattern }) => operation.method === method && pattern.test(bare))
    return (found.find(({ operation }) => operation.path === bare) ?? found[0])?.operation
  }

  function bodyFault (schema: Schema, answer: Answer): string | null {
    let value: unknown
    try {
      value = typeOf(answer) === 'application/json' ? JSON.parse(answer.body) : answer.body
    } catch {
      return 'the body is not JSON'
    }
    const validate = validator(schema)
    return validate(value) ? null : `the body does not match its schema: ${ajv.errorsText(validate.errors)}`
  }

  function headersFault (operation: Operation, { status, headers }: Answer): string | null {
    const documented = new Map(operation.headers[status]!.map(name => [name.toLowerCase(), name]))
    for (const [name, text] of Object.entries(headers)) {
      if (GENERAL_HEADERS.has(name)) continue
      const known = documented.get(name)
      if (known === undefined) return `the header ${name} is not in the document`
      const { schema } = document.components.headers[known]!
      const validate = validator(schema)
      if (!validate(schema.type === 'integer' ? Number(text) : text)) {
        return `the header ${name} does not match its schema: ${ajv.errorsText(validate.errors)}`
      }
    }
    return null
  }

  function documentedFault (operation: Operation, answer: Answer): string | null {
    const content = operation.answers[answer.status]
    if (content === undefined) {
      return BEFORE_ROUTES.has(answer.status)
        ? bodyFault(ERROR, answer)
        : `status ${answer.status} is not in the document`
    }
    // A request that cannot be read as HTTP has met no route, whatever its path says.
    if (answer.status === UNREADABLE.statusCode && answer.body.includes(`"code":${UNREADABLE.code},`)) {
      return bodyFault(ERROR, answer)
    }
    const schema = content[typeOf(answer)]
    if (schema === undefined) return `content type ${typeOf(answer)} is not in the document`
    return bodyFault(schema, answer) ?? headersFault(operation, answer)
  }

  return {
    fault (request, answer) {
      if (answer === null) return (request.body?.length ?? 0) > CUT_OFF_BYTES ? null : 'no answer'
      const operation = operationOf(request)
      if (answer.status >= 500 && !(answer.status === 503 && operation?.path === '/health/ready')) {
        return `status ${answer.status}`
      }
      if (operation !== undefined) return documentedFault(operation, answer)
      if (request.method === 'HEAD') return null
      if (answer.status === 204) return answer.body === '' ? null : 'a body where there must be none'
      return answer.status < 400
        ? `status ${answer.status}, and no such operation in the document`
        : bodyFault(ERROR, answer)
    }
  }
}
