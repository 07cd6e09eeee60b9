/** Takes all of them, the last first, that many at a time. */
export async function inLanes<T>(
  all: readonly T[],
  atOnce: number,
  act: (each: T, at: number) => Promise<void>,
): Promise<void> {
  const left = [...all.entries()]
  const lane = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await act(next[1], next[0])
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}
