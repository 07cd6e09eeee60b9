import { connect, type Socket } from 'node:net'

export interface Address {
  readonly host: string
  readonly port: number
}

/** How long nothing may move on a connection. */
export interface Bounds {
  /** Before the registry has lost the request. */
  readonly idleMs: number
  /** Between two requests. */
  readonly keptMs: number
}

/** The registry closed it. One that was kept may have been closed before the request reached it. */
export class ConnectionClosedError extends Error {
  override readonly name = 'ConnectionClosedError'
}

// What a socket has at once, on a fast network. More at a time was no faster.
const BUFFER_BYTES = 256 * 1024

interface Reader {
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: Error) => void
}

/**
 * A connection to the local registry that reads into the same memory again and again. Node's own client has each
 * 64 KiB read into new memory and copies it once more in its parser.
 */
export class BlobConnection {
  readonly #socket: Socket
  readonly #bounds: Bounds
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #reader: Reader | undefined
  #failure: NodeJS.ErrnoException | undefined

  constructor(address: Address, bounds: Bounds, onClose: () => void) {
    this.#bounds = bounds
    const onread = { buffer: this.#buffer, callback: (bytes: number) => this.#received(bytes) }
    this.#socket = connect({ ...address, noDelay: true, onread })
    this.#socket.on('error', (error) => (this.#failure ??= error))
    this.#socket.once('close', () => {
      this.#reader?.reject(this.#whyClosed())
      onClose()
    })
    this.#socket.on('timeout', () => {
      this.destroy(new Error(`no byte moved for ${bounds.idleMs / 1_000} s`))
    })
  }

  get closed(): boolean {
    return this.#socket.destroyed
  }

  /** Sends a request. Its answer is for `read`. */
  write(head: string): void {
    this.#socket.setTimeout(this.#bounds.idleMs)
    this.#socket.write(head, 'latin1')
  }

  /**
   * The next bytes. They are good until the next call: until then nothing is read, and what the
   * registry sends waits in the kernel.
   */
  async read(): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(this.#whyClosed())
        return
      }
      this.#reader = { resolve, reject }
      this.#socket.resume()
    })
  }

  /** Between two answers: only its end is waited for. */
  rest(): void {
    this.#socket.setTimeout(this.#bounds.keptMs)
    this.#socket.resume()
  }

  destroy(reason?: Error): void {
    this.#socket.destroy(reason)
  }

  /** False stops reading. */
  #received(bytes: number): boolean {
    const reader = this.#reader
    this.#reader = undefined
    // Bytes that nobody asked for: what comes next would be taken for the wrong answer.
    if (reader === undefined) this.destroy()
    else reader.resolve(this.#buffer.subarray(0, bytes))
    return false
  }

  #whyClosed(): Error {
    const error = this.#failure
    if (error !== undefined && error.code !== 'ECONNRESET' && error.code !== 'EPIPE') return error
    return new ConnectionClosedError('the registry closed the connection', { cause: error })
  }
}
