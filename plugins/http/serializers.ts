import createSerializers from '@fastify/fast-json-stringify-compiler'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Owns the serializers of answers: answers whose bodies have the same schema share one, as most are errors. */
async function serializers (fastify: FastifyInstance): Promise<void> {
  const bySchema = new Map<string, (answer: unknown) => string>()
  let compile: ReturnType<ReturnType<typeof createSerializers>> | undefined
  fastify.setSerializerCompiler(route => {
    const { description, headers, ...schema } = route.schema as { description?: string, headers?: object }
    const key = JSON.stringify(schema)
    // The schemas that others refer to are complete when the first route is compiled.
    compile ??= createSerializers()(fastify.getSchemas())
    const serialize = bySchema.get(key) ?? compile(route as never)
    bySchema.set(key, serialize)
    return serialize
  })
}

export default fp(serializers, { name: 'serializers' })
