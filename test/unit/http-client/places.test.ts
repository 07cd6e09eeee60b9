import { afterEach, expect, it } from 'vitest'
import { Connections } from '../../../src/http-client/connections.ts'
import { dialer, placeOf } from '../../../src/http-client/dial.ts'
import { smallBlocks } from '../../../src/http-client/memory.ts'
import { Places } from '../../../src/http-client/places.ts'

const HOME = new URL('http://registry.example')
const BOUNDS = { idleMs: 0, keptMs: 0 }

const places = new Places<'home'>((url) => {
  const dial = dialer(placeOf(url))
  return new Connections({ dial, bounds: BOUNDS, memory: () => smallBlocks })
})

afterEach(() => {
  places[Symbol.dispose]()
})

it('remembers the place that is used, however many others come', () => {
  const home = places.at(HOME, 'home')
  for (let bucket = 0; bucket < 300; bucket += 1) {
    places.at(new URL(`http://${bucket}.store.example`), 'home')
    expect(places.at(HOME, 'home')).toBe(home)
  }
})
