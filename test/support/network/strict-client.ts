import { connect, type Socket } from 'node:net'
import { readAnswer, type StrictMessage } from './strict-http.ts'

/** Asks one request after another on one connection, and on a new one when that was closed. */
export class StrictClient {
  readonly #port: number
  #socket: Socket | undefined
  /** What came on it and was not read yet. */
  #text = ''
  #look: () => void = () => undefined

  constructor(port: number) {
    this.#port = port
  }

  /**
   * The answer, undefined when the connection broke before its end, or what is wrong with the bytes that came.
   *
   * @param line method and path; there is no body
   */
  async ask(line: string): Promise<StrictMessage | string | undefined> {
    const socket = this.#connected()
    if (this.#text !== '') return this.#refuse('unasked')
    const [method = ''] = line.split(' ')
    socket.write(`${line} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n`)
    return await new Promise((resolve) => {
      this.#look = () => {
        const got = socket.destroyed ? undefined : this.#read(method)
        if (got !== undefined || socket.destroyed) resolve(got)
      }
    })
  }

  close(): void {
    this.#socket?.destroy()
  }

  /** Undefined while more has to come. */
  #read(method: string): StrictMessage | string | undefined {
    const read = readAnswer(this.#text, method)
    if (read.kind === 'incomplete') return undefined
    if (read.kind === 'broken') return this.#refuse(read.why)
    if (read.message.untilEnd) return this.#refuse('no end is told')
    if (read.rest !== '') return this.#refuse('more than the answer')
    this.#text = ''
    // RFC 9112, section 9.6: another request would get no answer.
    if (read.message.headers.get('connection') === 'close') this.close()
    return read.message
  }

  #refuse(why: string): string {
    this.close()
    return `${why}: ${JSON.stringify(this.#text.slice(0, 900))}`
  }

  #connected(): Socket {
    if (this.#socket === undefined || this.#socket.destroyed) {
      const socket = connect(this.#port, '127.0.0.1')
      this.#socket = socket
      this.#text = ''
      socket.on('error', () => undefined).once('end', () => socket.destroy())
      socket.on('data', (bytes) => {
        this.#text += bytes.toString('latin1')
        this.#look()
      })
      socket.once('close', () => {
        if (this.#socket === socket) this.#look()
      })
    }
    return this.#socket
  }
}
