export async function startRedis (): Promise<any> { throw new Error('x') }
