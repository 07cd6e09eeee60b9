import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { asError } from '../../thrown.ts'

export interface FileListener {
  /** The file may have changed. */
  onChange(): void
  /** Nothing more will be noticed. */
  onError(error: Error): void
}

/**
 * Notices that `file` was written or replaced, once it has rested for `debounceMs`. Watches the
 * folder: a watch on the file itself stays with the old one when an editor puts a new one in its
 * place. Keeps no process alive.
 */
export function watchFile(file: string, debounceMs: number, listener: FileListener): Disposable {
  let timer: NodeJS.Timeout | undefined
  const watcher = open(dirname(file), listener, (name) => {
    if (!concerns(name, basename(file))) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      listener.onChange()
    }, debounceMs).unref()
  })
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      watcher?.close()
    },
  }
}

function open(
  folder: string,
  listener: FileListener,
  onEvent: (name: string | null) => void,
): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      onEvent(name)
    })
    return watcher.on('error', (error) => {
      listener.onError(error)
    })
  } catch (error) {
    listener.onError(asError(error))
    return undefined
  }
}

// Kubernetes swaps the symbolic link `..data`, through which a mounted ConfigMap's files are reached.
function concerns(name: string | null, file: string): boolean {
  return name === null || name === file || name.startsWith('..')
}
