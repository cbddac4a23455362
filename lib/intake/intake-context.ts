import type { Application, DestinationList } from '../../schemas/applications.js'
import type { ClientInfo } from '../policy/client-info.js'

/** Who sends the items of a request, and what its headers ask for. */
export interface IntakeContext {
  /** The gateway's id of this request. */
  requestId: string
  /** Whose items these are; taken from the token, never from the payload. */
  application: Application
  /** @throws ApiError outOfScope when the token or its application does not allow this destination */
  requireScope (list: DestinationList, name: string): void
  clientInfo: ClientInfo
  /** The client's idempotency key, bound to whom it holds for; undefined without one. */
  idempotencyKey: string | undefined
  /** Decides which of the log streams that a split one has is written to: the same for a repeated request. */
  shardKey: string
  /** Seconds to wait for the delivery; 0 to answer after the durable append. */
  wait: number
  /** The JSON that the items were read from; null when it is not one document. */
  bodyText: string | null
}
