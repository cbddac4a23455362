/** Has each client call the gateway, and prints what came of it. */
import { call as heyApi } from './hey-api'
import { call as kubb } from './kubb'
import { call as oazapfts } from './oazapfts'
import { call as openapiFetch } from './openapi-fetch'
import { call as orval } from './orval'
import { call as swaggerTypescriptApi } from './swagger-typescript-api'

const CALLS = {
  'openapi-typescript': openapiFetch,
  'hey-api': heyApi,
  orval,
  kubb,
  'swagger-typescript-api': swaggerTypescriptApi,
  oazapfts
}

async function main (): Promise<void> {
  const outcomes: Record<string, unknown> = {}
  for (const [name, call] of Object.entries(CALLS)) {
    outcomes[name] = await call().catch((error: Error) => ({ failed: error.stack }))
  }
  console.log(JSON.stringify(outcomes))
}

main()
