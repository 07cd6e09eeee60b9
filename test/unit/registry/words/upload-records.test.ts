import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { recordedLate, type UploadRecord } from '../../../../src/registry/words/upload-records.ts'

const LOCATION = new URL('http://127.0.0.1:5000/v2/team/app/blobs/uploads/one')

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function recorder() {
  const told: string[] = []
  const record: UploadRecord = {
    at: ({ pathname }) => told.push(pathname),
    keep: () => told.push('kept'),
    [Symbol.dispose]: () => told.push('over'),
  }
  return { told, record }
}

it('remembers what lasts longer than it should', () => {
  const { told, record } = recorder()
  const late = recordedLate(record, 1_000)
  late.at(LOCATION)

  vi.advanceTimersByTime(999)
  expect(told).toEqual([])
  vi.advanceTimersByTime(1)
  expect(told).toEqual([LOCATION.pathname])

  late.keep()
  late[Symbol.dispose]()
  expect(told.slice(1)).toEqual(['kept', 'over'])
})

it('never speaks of what is over by then', () => {
  const { told, record } = recorder()
  const late = recordedLate(record, 1_000)
  late.at(LOCATION)
  vi.advanceTimersByTime(900)
  late[Symbol.dispose]()

  vi.advanceTimersByTime(60_000)

  expect(told).toEqual(['over'])
})

it('tells of what is to be kept at once', () => {
  const { told, record } = recorder()
  const late = recordedLate(record, 1_000)
  late.at(LOCATION)

  late.keep()
  late[Symbol.dispose]()
  vi.advanceTimersByTime(60_000)

  expect(told).toEqual([LOCATION.pathname, 'kept', 'over'])
})
