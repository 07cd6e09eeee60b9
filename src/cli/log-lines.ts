import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Address } from '../config/config.ts'
import { CommandError } from './command-error.ts'

const LOOK_EVERY_MS = 250
/** A line of a log that is longer tells of no miss. */
const MAX_LINE_BYTES = 64 * 1024
/** Datagrams that wait while Redis is away; the kernel drops some earlier. */
const MAX_DATAGRAMS = 10_000

/** What is written to standard input, to its end. */
export async function* linesOfInput(
  input: NodeJS.ReadableStream,
  signal: AbortSignal,
): AsyncIterable<string> {
  const reading = createInterface({ input, signal, crlfDelay: Infinity })
  for await (const line of reading) yield line
}

/**
 * What is written to a file from now on, also after it was renamed and begun anew, or cut. A file
 * that is not there yet is waited for. Resolves when "now" is.
 *
 * @throws CommandError of a folder
 */
export async function linesOfFile(
  file: string,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const found = await stat(file).catch(() => undefined)
  if (found !== undefined) requireNoFolder(file, found)
  const at = found?.size ?? 0
  return linesFrom(file, { at, signal })
}

function requireNoFolder(file: string, found: Stats): void {
  if (!found.isDirectory()) return
  throw new CommandError(`cannot follow ${file}: it is a folder. Name the log file in it.`)
}

async function* linesFrom(file: string, { at: begin, signal }: From): AsyncIterable<string> {
  let at = begin
  while (!signal.aborted) {
    const handle = await open(file).catch(() => undefined)
    if (handle !== undefined) {
      try {
        yield* linesUntilRotated(file, handle, { at, signal })
      } finally {
        await handle.close()
      }
      at = 0
    }
    await pause(signal)
  }
}

interface From {
  readonly at: number
  readonly signal: AbortSignal
}

async function* linesUntilRotated(
  file: string,
  handle: FileHandle,
  { at: begin, signal }: From,
): AsyncIterable<string> {
  const begun = await handle.stat()
  requireNoFolder(file, begun)
  const { ino } = begun
  const buffer = Buffer.alloc(MAX_LINE_BYTES)
  let at = begin
  let rest = ''
  let rotated = false
  while (!signal.aborted) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead > 0) {
      at += bytesRead
      const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n')
      rest = lines.pop()?.slice(0, MAX_LINE_BYTES) ?? ''
      for (const line of lines) yield Buffer.from(line, 'latin1').toString('utf8')
      continue
    }
    // Whoever writes goes on with this file until the new one is there, and a moment longer.
    if (rotated) return
    const now = await stat(file).catch(() => undefined)
    rotated = now !== undefined && (now.ino !== ino || now.size < at)
    await pause(signal)
  }
}

/** Datagrams as syslog sends them over UDP, each a line. Resolves when they can come. */
export async function linesOfSyslog(
  { host, port }: Address,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const datagrams = new Datagrams()
  socket.on('message', (message) => {
    datagrams.add(message.toString('utf8'))
  })
  socket.bind(port, host)
  await once(socket, 'listening', { signal })
  return datagrams.until(signal, socket)
}

class Datagrams {
  readonly #waiting: string[] = []
  #wake: () => void = () => undefined

  add(line: string): void {
    if (this.#waiting.length < MAX_DATAGRAMS) this.#waiting.push(line)
    this.#wake()
  }

  async *until(signal: AbortSignal, socket: Socket): AsyncIterable<string> {
    signal.addEventListener('abort', () => {
      this.#wake()
    })
    try {
      while (!signal.aborted) {
        const line = this.#waiting.shift()
        if (line === undefined) await this.#next()
        else yield line
      }
    } finally {
      socket.close()
    }
  }

  async #next(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined)
}
