import { readFileSync } from 'node:fs'

/** What a piece of work took. */
export interface Usage {
  readonly ms: number
  /** User and system time of the processes that did it, in milliseconds. */
  readonly cpuMs: number
  /** The most memory that they held at once, in MiB (VmHWM, all processes together). */
  readonly peakMib: number
}

// USER_HZ, the unit of /proc/PID/stat, is 100 on every Linux that Node runs on.
const MS_PER_TICK = 10

/** User and system time so far, in milliseconds; undefined once the process has gone. */
export function cpuMsOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  // The name in parentheses may hold spaces.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields && (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
}

/** The highest resident set so far, in MiB; undefined once the process has gone. */
export function peakMibOf(pid: number): number | undefined {
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1]
  return kib === undefined ? undefined : Number(kib) / 1024
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
