import { readFileSync } from 'node:fs'
import { join } from 'node:path'

// Loaded by drills alone, before a compartment's own code: its clock runs as many milliseconds ahead as the file beside this one says. A
// normal start gives a compartment neither a preload nor an environment, so nothing leads here (test/drills.test.ts).

const LOOK_MS = 20
const RealDate = Date
const realNow = Date.now.bind(Date)
let shift = 0
let looked = -Infinity

function now(): number {
  if (performance.now() - looked > LOOK_MS) {
    looked = performance.now()
    try {
      shift = Number(readFileSync(join(import.meta.dirname, 'shift'), 'utf8'))
    } catch {} // being replaced
  }
  return realNow() + shift
}

RealDate.now = now
globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
})
