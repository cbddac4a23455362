const input = '../../openapi.json'

export default {
  fetch: {
    input,
    output: {
      target: 'generated/orval.ts',
      client: 'fetch',
      baseUrl: { runtime: 'gateway.url', imports: [{ name: 'gateway', importPath: '../gateway' }] },
      // orval has one function for all types of a body, and cannot tell an object from bytes.
      override: { contentType: { exclude: ['application/gzip', 'application/octet-stream'] } }
    }
  },
  zod: { input, output: { target: 'generated/orval-zod.ts', client: 'zod' } }
}
