const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const

/** Bytes as people read them: `512 B`, `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length)
  const rounded = (bytes / 1_024 ** power).toFixed(1)
  // 1,048,575 bytes round to 1024.0 KiB, which nobody writes.
  if (rounded === '1024.0' && power < UNITS.length) return `1.0 ${UNITS[power] ?? ''}`
  return `${rounded} ${UNITS[power - 1] ?? ''}`
}
