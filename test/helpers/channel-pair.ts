import { deserialize, serialize } from 'node:v8'
import { Channel, type MessagePort } from '../../lib/processes/channel.js'

/** Two channels to each other, whose messages are copied as those of two processes are. */
export function channelPair (): [Channel, Channel] {
  const listeners: Array<(message: unknown) => void> = []
  const port = (own: 0 | 1): MessagePort => ({
    send (message) {
      const bytes = serialize(message)
      setImmediate(() => listeners[1 - own]?.(deserialize(bytes)))
    },
    listen: listener => { listeners[own] = listener }
  })
  return [new Channel(port(0)), new Channel(port(1))]
}
