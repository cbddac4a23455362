'use strict'

/** Who imports whom: each room, and the only places that its files may import. docs/architecture.md has the table. */
const ROOMS = {
  schemas: [],
  'lib/configuration': [],
  'lib/processes': ['schemas'],
  'lib/items': ['schemas'],
  'lib/http': ['schemas'],
  'lib/resilience': ['schemas', 'lib/processes', 'lib/redis'],
  'lib/redis': ['schemas'],
  'lib/access': ['schemas', 'lib/http'],
  'lib/policy': ['schemas', 'lib/items', 'lib/processes', 'lib/redis', 'lib/resilience'],
  'lib/spool': ['schemas', 'lib/items', 'lib/processes', 'lib/redis', 'lib/resilience'],
  'lib/state': ['schemas', 'lib/processes', 'lib/redis', 'lib/resilience'],
  'lib/usage': ['schemas', 'lib/state', 'lib/resilience'],
  'lib/metering': ['schemas', 'lib/state', 'lib/resilience'],
  'lib/delivery': ['schemas', 'lib/spool', 'lib/items', 'lib/metering', 'lib/resilience'],
  'lib/intake': ['schemas', 'lib/items', 'lib/policy', 'lib/spool', 'lib/http'],
  plugins: ['lib', 'schemas'],
  routes: ['schemas'],
  lambda: ['lib/metering', 'lib/resilience', 'schemas'],
  tools: ['app\\.ts', 'start\\.ts', 'plugins', 'routes', 'lib', 'lambda', 'schemas'],
  package: ['app\\.ts', 'lib/access', 'lib/http', 'schemas', 'tools/sandbox'],
  'app\\.ts': ['lib/http', 'schemas'],
  'start\\.ts': ['lib/processes', 'schemas']
}
/** May be imported from every room but schemas. */
const GROUND = ['lib/clock\\.ts', 'lib/guards\\.ts', 'lib/logger\\.ts', 'lib/configuration']
/** npm packages of the rooms that do not take any. */
const PACKAGES = {
  schemas: ['@sinclair/typebox'],
  lib: [
    '@aws-sdk/client-cloudwatch', '@aws-sdk/client-cloudwatch-logs', '@fastify/proxy-addr', '@smithy/.*', 'fast-jwt',
    'ioredis', 'lmdb', 'lru-cache'
  ],
  routes: ['@sinclair/typebox', '@fastify/type-provider-typebox', 'fastify'],
  lambda: ['@aws-sdk/.*']
}

function room (name, allowed) {
  const own = name.endsWith('\\.ts') ? `^${name}$` : `^${name}/`
  const ground = name === 'schemas' ? [] : GROUND
  return {
    name: `${name.replaceAll(/\\|\(\?:|\)/g, '')} imports only what it may`,
    severity: 'error',
    from: { path: own },
    to: {
      path: '^(?:app\\.ts|start\\.ts|package/|plugins/|routes/|schemas/|lib/|lambda/|tools/|test/)',
      pathNot: [own, ...[...allowed, ...ground].map(path => `^${path}${path.endsWith('.ts') ? '$' : '/'}`)]
    }
  }
}

function packages (name, allowed) {
  return {
    name: `${name} takes only the packages that it may`,
    severity: 'error',
    from: { path: `^${name}/` },
    to: {
      dependencyTypesNot: ['core', 'local'],
      path: 'node_modules/',
      pathNot: `node_modules/(?:@types/)?(?:${allowed.join('|')})/`
    }
  }
}

module.exports = {
  forbidden: [
    ...Object.entries(ROOMS).map(([name, allowed]) => room(name, allowed)),
    ...Object.entries(PACKAGES).map(([name, allowed]) => packages(name, allowed)),
    { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'one plugin reaches another by its decorator alone',
      severity: 'error',
      from: { path: '^plugins/' },
      to: { path: '^plugins/' }
    },
    {
      name: 'lib has no loose file but clock, guards and logger',
      severity: 'error',
      from: {},
      to: { path: '^lib/[^/]+\\.ts$', pathNot: '^lib/(?:clock|guards|logger)\\.ts$' }
    },
    {
      name: 'what ships needs no development dependency',
      severity: 'error',
      from: {
        path: '^(?:app\\.ts|start\\.ts|(?:package|plugins|routes|schemas|lib|lambda|tools/(?:cli|demo|sandbox|simulate))/)'
      },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Programs on generated code, with a package of their own.
    exclude: { path: '^test/clients/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.cjs', '.mjs']
    }
  }
}
