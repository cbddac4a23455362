import type { InvalidItemReason } from '../../schemas/reasons.js'

/** An item that CloudWatch would not take, found before it is stored. Thrown, but no Error: nobody reads its stack. */
export class InvalidItem {
  constructor (readonly reason: InvalidItemReason, readonly message: string) {}
}
