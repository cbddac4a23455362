import { Cluster, type ClusterNode, type ClusterOptions, type Redis } from 'ioredis'

/** Those of the client, whose replies are in the form of before version 3 of the protocol. */
export type GatewayClusterOptions = ClusterOptions & { redisOptions?: { replyMapping?: 'legacy' } }
type SendParameters = Parameters<Cluster['sendCommand']>

/** A cluster whose commands fail at once while it is away, as those of a single node do. */
export class GatewayCluster extends Cluster {
  /** Whether messages are published in the shard of their channel alone (Redis 7.0), rather than in all. */
  readonly isSharded: boolean

  constructor (nodes: ClusterNode[], options: GatewayClusterOptions, isSharded: boolean) {
    super(nodes, options)
    this.isSharded = isSharded
    this.on('+node', handleAsking)
  }

  // The option that would do it also refuses commands to a node whose connection is only just being made.
  override sendCommand (...parameters: SendParameters): unknown {
    const [command] = parameters
    if (this.status === 'ready' || command.name === 'cluster') return super.sendCommand(...parameters)
    command.reject(new Error('the cluster is away'))
    return command.promise
  }
}

/**
 * The client asks a node that a slot moves to, and leaves the rejection unhandled when the connection breaks, as when the
 * node is not among those with slots yet. That would end the process.
 */
function handleAsking (node: Redis): void {
  const { asking } = node
  node.asking = (...parameters) => {
    const answer = Reflect.apply(asking, node, parameters) as ReturnType<typeof asking>
    answer.catch(() => {})
    return answer
  }
}
