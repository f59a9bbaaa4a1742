import { randomBytes, randomUUID } from 'node:crypto'
import { isDict, own } from '../src/wire/apple/dict.ts'
import { decodePlist, type PlistInput } from '../src/wire/plist/plist.ts'
import type { Channel } from './channel.ts'
import type { Answer } from './http.ts'
import type { DeviceOptions } from './options.ts'
import { current, type DeviceState, forget, hashed, refused, type User } from './state.ts'

export type Checkins = ReturnType<typeof createCheckins>

/** Everything a device says on its check-in URL. */
export function createCheckins(options: DeviceOptions, state: DeviceState, channel: Channel) {
  const { self, push, users } = state
  const say = options.say ?? (() => {})
  const topic = () => current(state).topic

  /** Any check-in message. Throws REFUSED for anything but 200. */
  async function checkin(message: Record<string, PlistInput>): Promise<Answer> {
    const answer = await channel.post('checkin', message)
    if (answer.status !== 200) throw refused(`${String(message.MessageType)} was answered with ${answer.status}.`)
    return answer
  }

  async function authenticate() {
    await checkin({ MessageType: 'Authenticate', Topic: topic(), ...description(state) })
    say('Authenticate was accepted.')
  }

  /** Sent after Authenticate, and whenever the push token changes. */
  async function tokenUpdate() {
    push.magic ||= randomUUID().toUpperCase()
    const unlock = options.model === 'mac' ? {} : { UnlockToken: state.unlockToken }
    const { token: Token, magic: PushMagic } = push
    await checkin({
      MessageType: 'TokenUpdate',
      Topic: topic(),
      Token,
      PushMagic,
      AwaitingConfiguration: false,
      ...unlock,
    })
    say('TokenUpdate was accepted: the device is managed.')
  }

  /** One more user of a Mac, with a channel of their own. */
  async function addUser(shortName: string = self.shortName): Promise<User> {
    const user = { id: randomUUID().toUpperCase(), shortName, longName: self.owner }
    const token = { Token: hashed(`push ${user.id}`), PushMagic: randomUUID() }
    await checkin({ MessageType: 'TokenUpdate', Topic: topic(), ...token, ...naming(user) })
    users.set(user.id, user)
    return user
  }

  async function setBootstrapToken(token: Buffer = randomBytes(32)): Promise<Buffer> {
    await checkin({ MessageType: 'SetBootstrapToken', AwaitingConfiguration: false, BootstrapToken: token })
    state.bootstrapToken = token
    return token
  }

  /** Undefined where the server has none. */
  async function getBootstrapToken(): Promise<Buffer | undefined> {
    const { body } = await checkin({ MessageType: 'GetBootstrapToken' })
    const answer = body.length > 0 ? decodePlist(body) : undefined
    const token = isDict(answer) ? own(answer, 'BootstrapToken') : undefined
    return token instanceof Uint8Array && token.length > 0 ? Buffer.from(token) : undefined
  }

  /** `tokens`, `declaration-items`, `status` or `declaration/{kind}/{id}`. The answer is not judged: 404 is one. */
  async function declarative(endpoint: string, data?: unknown): Promise<{ status: number; json: unknown }> {
    const sent = data === undefined ? {} : { Data: Buffer.from(JSON.stringify(data)) }
    const { status, body } = await channel.post('checkin', {
      MessageType: 'DeclarativeManagement',
      Endpoint: endpoint,
      ...sent,
    })
    return { status, json: status === 200 && body.length > 0 ? JSON.parse(body.toString()) : undefined }
  }

  /** Says goodbye, where it was asked to, and forgets the enrolment, as when a person removes the profile. */
  async function checkOut() {
    if (current(state).checkOutWhenRemoved) await checkin({ MessageType: 'CheckOut', Topic: topic() })
    forget(state)
    say('Checked out: the device is no longer managed.')
  }

  return { checkin, authenticate, tokenUpdate, addUser, setBootstrapToken, getBootstrapToken, declarative, checkOut }
}

const description = ({ self, name, model }: DeviceState) => ({
  DeviceName: name,
  Model: self.model,
  ModelName: self.name,
  ProductName: self.product,
  OSVersion: self.os,
  BuildVersion: self.build,
  SerialNumber: self.serial,
  ...(model === 'iphone' ? { IMEI: self.imei } : {}),
})

/** How a message says that it is a user's. */
export const naming = (user: User) => ({
  UserID: user.id,
  UserShortName: user.shortName,
  UserLongName: user.longName,
  NotOnConsole: false,
})
