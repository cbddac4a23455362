import { isObject } from '../guards.js'

/** Carries messages to one other process, in their order. */
export interface MessagePort {
  send (message: unknown): void
  listen (listener: (message: unknown) => void): void
}

/** An error of the other process: its name and message, and whose application it is about. */
export class RemoteError extends Error {
  override name: string
  readonly application: string | undefined

  constructor ({ name, message, application }: ErrorFields) {
    super(message)
    this.name = name
    this.application = application
  }
}

interface ErrorFields {
  name: string
  message: string
  application?: string | undefined
}

type Message =
  | { call: string, id: number, args: unknown[] }
  | { answerTo: number, value?: unknown, error?: ErrorFields }
  | { topic: string, news: unknown }

type Handler = (...args: never[]) => unknown

function isMessage (message: unknown): message is Message {
  return isObject(message) && ('call' in message || 'answerTo' in message || 'topic' in message)
}

function toFields (error: unknown): ErrorFields {
  const { name = 'Error', message = String(error), application } = error as Partial<ErrorFields>
  return { name, message, application }
}

/** Calls between two processes of one gateway, either of which may call the other, and news without an answer. */
export class Channel {
  readonly #port: MessagePort
  readonly #calls = new Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  readonly #handlers = new Map<string, Handler>()
  readonly #listeners = new Map<string, Array<(news: never) => void>>()
  readonly #closers: Array<() => void> = []
  #nextId = 0
  #closed = false

  constructor (port: MessagePort) {
    this.#port = port
    port.listen(message => { if (isMessage(message)) this.#receive(message) })
  }

  /** @throws RemoteError what the handler of the other process has thrown, or that the process has gone */
  call<T> (method: string, ...args: unknown[]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(closedError())
      const id = this.#nextId++
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#port.send({ call: method, id, args } satisfies Message)
    })
  }

  /** Answers the calls of this method. */
  handle (method: string, handler: Handler): void {
    this.#handlers.set(method, handler)
  }

  /** Answers the calls of `NAME.METHOD` with these methods of an object. */
  serve<T, K extends keyof T & string> (name: string, object: T, methods: readonly K[]): void {
    for (const method of methods) this.handle(`${name}.${method}`, (...args) => (object[method] as Handler)(...args))
  }

  /**
   * These methods of the object that the other process serves under a name.
   * @param toError makes the error that a method rejects with
   */
  remote<T, K extends keyof T & string> (
    name: string, methods: readonly K[], toError: (error: RemoteError) => Error
  ): Pick<T, K> {
    const entries = methods.map(method => [method, async (...args: unknown[]) => {
      try {
        return await this.call(`${name}.${method}`, ...args)
      } catch (error) {
        throw toError(error as RemoteError)
      }
    }])
    return Object.fromEntries(entries) as Pick<T, K>
  }

  tell (topic: string, news?: unknown): void {
    if (!this.#closed) this.#port.send({ topic, news } satisfies Message)
  }

  onNews<T> (topic: string, listener: (news: T) => void): void {
    this.#listeners.set(topic, [...this.#listeners.get(topic) ?? [], listener])
  }

  /** Calls the listener once the other process has gone. */
  onClose (listener: () => void): void {
    this.#closers.push(listener)
  }

  /** The other process has gone: its answers will not come. May be called twice. */
  close (): void {
    if (this.#closed) return
    this.#closed = true
    for (const { reject } of this.#calls.values()) reject(closedError())
    this.#calls.clear()
    for (const closer of this.#closers) closer()
  }

  #receive (message: Message): void {
    if ('call' in message) {
      this.#answer(message.id, message.call, message.args)
      return
    }
    if ('topic' in message) {
      for (const listener of this.#listeners.get(message.topic) ?? []) listener(message.news as never)
      return
    }
    const call = this.#calls.get(message.answerTo)
    if (call === undefined) return
    this.#calls.delete(message.answerTo)
    if (message.error === undefined) call.resolve(message.value)
    else call.reject(new RemoteError(message.error))
  }

  async #answer (id: number, method: string, args: unknown[]): Promise<void> {
    let answer: Message
    try {
      const handler = this.#handlers.get(method)
      if (handler === undefined) throw new Error(`no process answers "${method}"`)
      answer = { answerTo: id, value: await handler(...args as never[]) }
    } catch (error) {
      answer = { answerTo: id, error: toFields(error) }
    }
    if (!this.#closed) this.#port.send(answer)
  }
}

function closedError (): RemoteError {
  return new RemoteError({ name: 'ChannelClosedError', message: 'the process that holds the items has gone' })
}
