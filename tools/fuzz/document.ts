import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../shared/root.js'

/** The part of JSON Schema that openapi.json uses. */
export interface Schema {
  $ref?: string
  type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'
  enum?: unknown[]
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  examples?: unknown[]
}

interface Content { schema?: Schema, example?: unknown }

export interface Parameter { in: 'path' | 'query' | 'header', name: string, required?: boolean, schema: Schema }

interface RawAnswer { content?: Record<string, Content>, headers?: Record<string, object> }

interface RawOperation {
  parameters?: Parameter[]
  requestBody?: { content: Record<string, Content> }
  responses: Record<string, RawAnswer>
  security?: Array<Record<string, unknown>>
}

export interface Document {
  components: { schemas: Record<string, Schema>, headers: Record<string, { schema: Schema }> }
  paths: Record<string, Record<string, RawOperation>>
}

export interface Operation {
  /** The method in upper case. */
  method: string
  /** The path as in the document: `/admin/dead-letters/{id}`. */
  path: string
  parameters: Parameter[]
  /** The schemas of the body by content type; empty when the operation takes no body. */
  bodies: Record<string, Schema>
  /** The schemas of answers by status, then by content type. */
  answers: Record<string, Record<string, Schema>>
  /** The names of the headers that answers may have, by status. */
  headers: Record<string, string[]>
  /** The names of the security schemes that the operation asks for. */
  security: string[]
}

export function readDocument (): Document {
  return JSON.parse(readFileSync(join(ROOT, 'openapi.json'), 'utf8')) as Document
}

const schemasOf = (content: Record<string, Content> = {}): Record<string, Schema> =>
  Object.fromEntries(Object.entries(content).map(([type, { schema = {} }]) => [type, schema]))

export function operationsOf (document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, raw]) => ({
    method: method.toUpperCase(),
    path,
    parameters: raw.parameters ?? [],
    bodies: schemasOf(raw.requestBody?.content),
    answers: Object.fromEntries(Object.entries(raw.responses).map(([status, { content }]) =>
      [status, schemasOf(content)])),
    headers: Object.fromEntries(Object.entries(raw.responses).map(([status, { headers = {} }]) =>
      [status, Object.keys(headers)])),
    security: (raw.security ?? []).flatMap(scheme => Object.keys(scheme))
  })))
}

/** @throws Error when the document has no such schema */
export function resolve (document: Document, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema
  const name = schema.$ref.split('/').at(-1)!
  const found = document.components.schemas[name]
  if (found === undefined) throw new Error(`openapi.json has no schema ${name}`)
  return resolve(document, found)
}
