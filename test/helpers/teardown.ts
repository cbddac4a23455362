/** What a test leaves to its end; that of tap's `t`. */
export interface Teardown { teardown (handler: () => unknown): void }
