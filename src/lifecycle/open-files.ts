import { readFileSync } from 'node:fs'

/**
 * How many files and connections this process may have open; Node has raised it to what the process may raise it to.
 * Undefined where there is no limit, or the system does not tell; proc_pid_limits(5).
 */
export function openFilesLimit(): number | undefined {
  const told = /^Max open files\s+(\d+|unlimited)/m.exec(readLimits())?.[1]
  return told === undefined || told === 'unlimited' ? undefined : Number(told)
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return ''
  }
}
