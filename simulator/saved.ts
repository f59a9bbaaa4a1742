import { createPrivateKey } from 'node:crypto'
import type { Device } from './device.ts'
import { enrolmentOf, openProfile } from './profile.ts'
import type { DeviceState } from './state.ts'

/** A device on paper, so that an office is the same office after a restart. Holds its private key: for simulations only. */
export type SavedDevice = {
  profile: string
  key: string
  certificate: string
  pushMagic: string
  name: string
  passcode: boolean
  lostMode: DeviceState['lostMode'] | null
}

/** Undefined for a device that is not enrolled. */
export function saveDevice({ state, push }: Device): SavedDevice | undefined {
  if (!state.enrolment || !state.identity || !state.enrolmentProfile) return undefined
  return {
    profile: state.enrolmentProfile.toString('base64'),
    key: String(state.identity.privateKey.export({ format: 'pem', type: 'pkcs8' })),
    certificate: state.identity.certificate.toString('base64'),
    pushMagic: push.magic,
    name: state.name,
    passcode: state.passcode,
    lostMode: state.lostMode ?? null,
  }
}

/** Puts a fresh device of the same seed into the saved condition. Says nothing to the server. */
export function restoreDevice({ state, push }: Device, saved: SavedDevice): void {
  const bytes = Buffer.from(saved.profile, 'base64')
  const profile = openProfile(bytes)
  state.enrolmentProfile = bytes
  state.enrolment = enrolmentOf(profile)
  state.profiles = [profile]
  state.identity = { privateKey: createPrivateKey(saved.key), certificate: Buffer.from(saved.certificate, 'base64') }
  push.magic = saved.pushMagic
  state.name = saved.name
  state.passcode = saved.passcode
  state.lostMode = saved.lostMode ?? undefined
}
