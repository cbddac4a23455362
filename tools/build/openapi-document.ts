import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { options } from '../../app.js'
import { openApp } from '../shared/open-app.js'

const PLUGIN_TIMEOUT_MS = 60_000

/** The OpenAPI document as text, from an app with every route that the gateway can have. */
export async function openapiDocument (): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'postman-openapi-'))
  const fastify = Fastify({ ...options, pluginTimeout: PLUGIN_TIMEOUT_MS })
  try {
    await fastify.register(openApp, {
      environment: {
        CLIENT_SECRET_KEY: 'unused-client-secret',
        ACCESS_TOKEN_SECRET_KEY: 'unused-access-secret',
        AWS_REGION: 'eu-west-1',
        ADMIN_TOKEN: 'unused-admin-token',
        REVENIUM_PLATFORM_API_KEY: 'unused',
        METERING_ACCESS_KEY: 'unused-metering-key',
        AUTHORIZE_ROUTE: 'on',
        FORWARDER: 'off',
        DATA_DIR: dataDir
      }
    })
    await fastify.ready()
    return JSON.stringify(fastify.swagger(), null, 2) + '\n'
  } finally {
    await fastify.close()
    await rm(dataDir, { recursive: true, force: true })
  }
}
