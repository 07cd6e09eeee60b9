import { expect, it } from 'vitest'
import { descriptionOf, madeProjects } from '../../../../src/cli/setup/set-up-robot.ts'

it('notes the projects that were made, as many as Harbor has room for', () => {
  expect(madeProjects(descriptionOf([]))).toEqual([])
  expect(madeProjects(descriptionOf(['b', 'a']))).toEqual(['a', 'b'])

  const many = Array.from({ length: 200 }, (_, number) => `a-project-${1000 + number}`)
  const description = descriptionOf(many)
  const noted = madeProjects(description)
  expect(description.length).toBeLessThanOrEqual(1024)
  expect(noted.length).toBeGreaterThan(50)
  expect(noted).toEqual(many.slice(0, noted.length))
})
