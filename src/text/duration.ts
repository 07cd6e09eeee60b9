/** Milliseconds as people read them, in the largest unit that fits and the next: `45s`, `3h 5m`, `2d 4h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  const parts = [
    { unit: 'd', count: Math.floor(seconds / 86_400) },
    { unit: 'h', count: Math.floor(seconds / 3_600) % 24 },
    { unit: 'm', count: Math.floor(seconds / 60) % 60 },
    { unit: 's', count: seconds % 60 },
  ]
  const largest = parts.findIndex(({ count }) => count > 0)
  if (largest === -1) return '0s'
  return parts
    .slice(largest, largest + 2)
    .filter(({ count }) => count > 0)
    .map(({ unit, count }) => `${count}${unit}`)
    .join(' ')
}
