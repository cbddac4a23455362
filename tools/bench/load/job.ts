export interface LoadJob {
  port: number
  path: string
  /** The access token; absent: requests have no Authorization header. */
  token?: string
  /** The bodies of the requests, sent in turn. */
  bodies: string[]
  connections: number
  /** Requests under way on a connection at once; 1 when absent. */
  pipelining?: number
}

/** When a load ends, or how fast it goes. */
export type LoadEnd =
  | { amount: number }
  | { seconds: number }
  /** An open loop: requests fall due at even intervals, whether or not earlier ones have been answered. */
  | { seconds: number, rate: number }

export interface LoadResult {
  /** Requests that were answered. */
  requests: number
  /** Requests that were answered with a 2xx. */
  accepted: number
  seconds: number
  /** Seconds of CPU that the load generator used. */
  cpuSeconds: number
  /** Milliseconds; in an open loop from when a request was due, else from when it was sent. */
  latency: { p50: number, p99: number, max: number }
}
