export async function openRedisSpool (_o: any): Promise<any> { throw new Error('none') }
