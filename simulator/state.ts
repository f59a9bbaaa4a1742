import { createHash } from 'node:crypto'
import { BulkheadError } from '../src/base/errors.ts'
import type { Identity } from './identity.ts'
import type { DeviceOptions } from './options.ts'
import { type Model, type Persona, persona } from './person.ts'
import type { Enrolment, Profile } from './profile.ts'

export type User = { id: string; shortName: string; longName: string }

/** Everything about a device that can change. `enrolment` is undefined before the first and after the last. */
export type DeviceState = {
  readonly self: Persona
  readonly model: Model
  readonly supervised: boolean
  name: string
  enrolment: Enrolment | undefined
  /** The bytes of the profile that the enrolment came from. */
  enrolmentProfile: Buffer | undefined
  identity: Identity | undefined
  readonly push: { token: Buffer; magic: string }
  readonly users: Map<string, User>
  profiles: Profile[]
  passcode: boolean
  unlockToken: Buffer
  locked: { pin: string | undefined; message: string | undefined } | undefined
  lostMode: { message: string | undefined; phone: string | undefined; footnote: string | undefined } | undefined
  bootstrapToken: Buffer | undefined
  restarts: number
  erased: boolean
}

export function newState({ seed, model, supervised = false }: DeviceOptions): DeviceState {
  const self = persona(seed, model)
  return {
    self,
    model,
    supervised,
    name: self.deviceName,
    enrolment: undefined,
    enrolmentProfile: undefined,
    identity: undefined,
    push: { token: hashed(`push ${self.udid}`), magic: '' },
    users: new Map(),
    profiles: [],
    passcode: true,
    unlockToken: hashed(`unlock ${self.udid}`),
    locked: undefined,
    lostMode: undefined,
    bootstrapToken: undefined,
    restarts: 0,
    erased: false,
  }
}

/** The enrolment. Throws REFUSED where there is none. */
export function current(state: DeviceState): Enrolment {
  if (!state.enrolment) throw refused(state.erased ? 'The device was erased.' : 'The device is not enrolled.')
  return state.enrolment
}

/** What removing the management profile takes with it. */
export function forget(state: DeviceState): void {
  state.enrolment = undefined
  state.enrolmentProfile = undefined
  state.identity = undefined
  state.profiles = []
  state.users.clear()
}

export const hashed = (text: string) => createHash('sha256').update(text).digest()
export const refused = (text: string) => new BulkheadError('REFUSED', text)
