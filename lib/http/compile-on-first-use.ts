/** What a schema becomes: a check that leaves what it found in `errors`, or a serializer. */
interface Compiled {
  (data: never): unknown
  errors?: unknown
}

type Compile<Schema, C extends Compiled> = (schema: Schema) => C

/**
 * A factory of compilers, of Fastify's `compilersFactory`, whose compilers do nothing until the data of a schema comes.
 * A start compiles the schemas of what it is asked, a few of them; what is compiled once stays.
 * @param load gives the factory of the compilers that do the work; called once, when one is needed
 */
export function compileOnFirstUse<Options extends unknown[], Schema, C extends Compiled> (
  load: () => (...options: Options) => Compile<Schema, C>
): (...options: Options) => Compile<Schema, C> {
  let createCompiler: ReturnType<typeof load> | undefined
  return (...options) => {
    let compile: Compile<Schema, C> | undefined
    return schema => {
      let compiled: C | undefined
      const onUse: Compiled = data => {
        if (compiled === undefined) {
          createCompiler ??= load()
          compile ??= createCompiler(...options)
          compiled = compile(schema)
        }
        const result = compiled(data)
        onUse.errors = compiled.errors
        return result
      }
      return onUse as C
    }
  }
}
