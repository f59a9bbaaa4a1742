/**
 * An Apple device that speaks only public HTTP and enforces what a device enforces: AccessRights, one enrolment at a time,
 * what a renewal may change. It knows nothing of the server but what the server tells it.
 */
import { createChannel } from './channel.ts'
import { createCheckins } from './checkins.ts'
import { createConnect, type Executed, type Mood } from './connecting.ts'
import { createEnroller } from './enrolling.ts'
import type { DeviceOptions } from './options.ts'
import { forget, newState } from './state.ts'

export type { Raw } from './channel.ts'
export type { Executed } from './connecting.ts'
export type { DeviceOptions } from './options.ts'
export type { User } from './state.ts'
export type Device = ReturnType<typeof createDevice>

export function createDevice(options: DeviceOptions) {
  const state = newState(options)
  const executed: Executed[] = []
  const mood: Mood = { notNow: false }
  const channel = createChannel(options, state)
  const checkins = createCheckins(options, state, channel)
  const enroller = createEnroller(options, state, channel)

  /** Installs an enrolment profile: its bytes, or the URL it is fetched from. Throws REFUSED or UNPROVEN, and is then not enrolled. */
  async function enrol(profile: Uint8Array | string): Promise<void> {
    await enroller.install(profile)
    try {
      await checkins.authenticate()
      await checkins.tokenUpdate()
    } catch (error) {
      forget(state)
      throw error
    }
  }

  return Object.assign(mood, {
    self: state.self,
    push: state.push,
    users: state.users,
    state,
    /** Every command that the device met, oldest first. */
    executed,
    enrol,
    install: enroller.install,
    ...checkins,
    connect: createConnect(options, state, { channel, checkins, enroller, executed, mood }),
    send: channel.send,
    http: channel.http,
    close: channel.close,
  })
}
