/**
 * An Apple device that speaks only public HTTP and enforces what a device enforces: AccessRights, one enrolment at a time,
 * what a renewal may change. It knows nothing of the server but what the server tells it.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { BulkheadError } from '../src/base/errors.ts'
import { isDict, own, stringAt } from '../src/wire/apple/dict.ts'
import {
  decodePlist,
  encodeBinaryPlist,
  encodeXmlPlist,
  type PlistDict,
  type PlistInput,
} from '../src/wire/plist/plist.ts'
import { type DeviceState, errorChain, executors, type Outcome } from './commands.ts'
import { type Answer, createHttp, type Http, type HttpOptions } from './http.ts'
import {
  type Identity,
  identityPem,
  type KeyPair,
  type KeyType,
  makeKeys,
  mdmSignature,
  type SignatureShape,
  throwAwaySigner,
} from './identity.ts'
import { type Model, persona } from './person.ts'
import { type Enrolment, enrolmentOf, openProfile, payloadBytes, renewalRefusal } from './profile.ts'
import { FAULT, type Fault, refusal } from './rights.ts'
import { enrolScep, learnServer, type ScepServer } from './scep.ts'

export type DeviceOptions = {
  seed: string | number
  model: Model
  supervised?: boolean
  /** Of the device's identity; rsa where absent, as the profile asks. */
  keyType?: KeyType
  http?: HttpOptions
  /** Connections shared with other devices; whoever made them closes them. */
  sharedHttp?: Http
  /** Check in and connect over mutual TLS at this origin (the second listener), without a signature header. */
  mutualTls?: { origin: string; ca: string | 'any' }
  signature?: SignatureShape
  /** Write binary property lists. */
  binary?: boolean
  /** Keys made elsewhere, so that a fleet need not make thousands. */
  keys?: KeyPair
  signer?: Identity
  scepServer?: (http: Http, url: string) => Promise<ScepServer>
  /** Told in plain words what happens. */
  say?: (line: string) => void
}

/** One command as the device met it. `keys` holds its values but RequestType. */
export type Executed = {
  requestType: string
  commandUuid: string
  at: Date
  status: string
  keys: PlistDict
  user: string | undefined
}
export type User = { id: string; shortName: string; longName: string }
export type Device = ReturnType<typeof createDevice>

/** What the raw request shall carry. `signature`: `false` for none, a string as it is, else a shape. */
export type Raw = {
  method?: string
  contentType?: string | null
  signature?: false | string | SignatureShape
  identity?: Identity
  headers?: Record<string, string>
}

const MOST_ROUNDS = 2000
const MOST_OFFERS = 3
/** A locked device that says NotNow does these all the same. */
const alwaysNow = new Set(['DeviceLock', 'EraseDevice', 'ClearPasscode'])
const CHECKIN = 'application/x-apple-aspen-mdm-checkin'
const CONNECT = 'application/x-apple-aspen-mdm'

export function createDevice(options: DeviceOptions) {
  const self = persona(options.seed, options.model)
  const http = options.sharedHttp ?? createHttp(options.http)
  const say = options.say ?? (() => {})
  const platform = options.model === 'mac' ? ('macOS' as const) : ('iOS' as const)
  const executed: Executed[] = []
  const users = new Map<string, User>()
  let tls: { http: Http; certificate: Buffer } | undefined

  const state: DeviceState = {
    self,
    model: options.model,
    supervised: options.supervised ?? false,
    name: self.deviceName,
    enrolment: undefined,
    enrolmentProfile: undefined,
    identity: undefined,
    profiles: [],
    passcode: true,
    unlockToken: createHash('sha256').update(`unlock ${self.udid}`).digest(),
    locked: undefined,
    lostMode: undefined,
    bootstrapToken: undefined,
    restarts: 0,
    erased: false,
  }
  const push = { token: createHash('sha256').update(`push ${self.udid}`).digest(), magic: '' }

  // --- enrolling ----------------------------------------------------------------------------------------------------

  /** Installs an enrolment profile: its bytes, or the URL it is fetched from. Throws REFUSED or UNPROVEN, and is then not enrolled. */
  async function enrol(profile: Uint8Array | string): Promise<void> {
    await install(profile)
    try {
      await authenticate()
      await tokenUpdate()
    } catch (error) {
      forget()
      throw error
    }
  }

  /** The first half: the profile, a key and a certificate. Nothing is said on the check-in URL yet. */
  async function install(source: Uint8Array | string): Promise<void> {
    if (state.erased) throw refused('The device was erased.')
    if (state.enrolment) throw refused('The device is managed already: it has one enrolment at a time.')
    const bytes = typeof source === 'string' ? await fetchProfile(source) : Buffer.from(source)
    const profile = openProfile(bytes)
    const enrolment = enrolmentOf(profile)
    say(
      `Opened the profile “${profile.name}” (${profile.signer ? 'signed' : 'unsigned'}, AccessRights ${enrolment.rights}).`,
    )
    state.identity = await makeIdentity(enrolment)
    state.enrolment = enrolment
    state.enrolmentProfile = bytes
    state.profiles = [profile]
  }

  async function fetchProfile(url: string): Promise<Buffer> {
    const { status, headers, body } = await http.send(url)
    if (status !== 200) throw refused(`The profile's address answered ${status}.`)
    if (!headers['content-type']?.startsWith('application/x-apple-aspen-config'))
      throw refused(`A profile of type ${headers['content-type']}.`)
    return body
  }

  async function makeIdentity({ scep }: Enrolment): Promise<Identity> {
    const keys = options.keys ?? (await makeKeys(options.keyType ?? 'rsa', scep.keySize))
    const signer =
      options.signer ??
      throwAwaySigner(keys.publicKey.asymmetricKeyType === 'rsa' ? keys : await makeKeys('rsa'), new Date())
    const server = await (options.scepServer ?? learnServer)(http, scep.url)
    const identity = await enrolScep(http, server, {
      url: scep.url,
      challenge: scep.challenge,
      keys,
      signer,
      commonName: self.udid,
    })
    say('Received a certificate by SCEP.')
    return identity
  }

  // --- check-in -----------------------------------------------------------------------------------------------------

  const authenticate = async () => {
    await checkin({
      MessageType: 'Authenticate',
      Topic: current().topic,
      DeviceName: state.name,
      Model: self.model,
      ModelName: self.name,
      ProductName: self.product,
      OSVersion: self.os,
      BuildVersion: self.build,
      SerialNumber: self.serial,
      ...(options.model === 'iphone' ? { IMEI: self.imei } : {}),
    })
    say('Authenticate was accepted.')
  }

  /** Sent after Authenticate and whenever the push token changes. */
  const tokenUpdate = async () => {
    push.magic ||= randomUUID().toUpperCase()
    await checkin({
      MessageType: 'TokenUpdate',
      Topic: current().topic,
      Token: push.token,
      PushMagic: push.magic,
      AwaitingConfiguration: false,
      ...(options.model === 'mac' ? {} : { UnlockToken: state.unlockToken }),
    })
    say('TokenUpdate was accepted: the device is managed.')
  }

  /** One more user of a Mac, with a channel of their own. */
  const addUser = async (shortName: string = self.shortName): Promise<User> => {
    const user = { id: randomUUID().toUpperCase(), shortName, longName: self.owner }
    users.set(user.id, user)
    await checkin({
      MessageType: 'TokenUpdate',
      Topic: current().topic,
      Token: createHash('sha256').update(`push ${user.id}`).digest(),
      PushMagic: randomUUID(),
      ...naming(user),
    })
    return user
  }

  const setBootstrapToken = async (token: Buffer = randomBytes(32)) => {
    state.bootstrapToken = token
    await checkin({ MessageType: 'SetBootstrapToken', AwaitingConfiguration: false, BootstrapToken: token })
    return token
  }

  const getBootstrapToken = async (): Promise<Buffer | undefined> => {
    const { body } = await checkin({ MessageType: 'GetBootstrapToken' })
    const answer = body.length > 0 ? decodePlist(body) : undefined
    const token = isDict(answer) ? own(answer, 'BootstrapToken') : undefined
    return token instanceof Uint8Array && token.length > 0 ? Buffer.from(token) : undefined
  }

  /** `tokens`, `declaration-items`, `status` or `declaration/{kind}/{id}`. The answer is not judged: 404 is one. */
  const declarative = async (endpoint: string, data?: unknown): Promise<{ status: number; json: unknown }> => {
    const body = data === undefined ? {} : { Data: Buffer.from(JSON.stringify(data)) }
    const answer = await post(
      current().checkInUrl,
      { MessageType: 'DeclarativeManagement', UDID: self.udid, Endpoint: endpoint, ...body },
      CHECKIN,
    )
    return {
      status: answer.status,
      json: answer.body.length > 0 && answer.status === 200 ? JSON.parse(answer.body.toString()) : undefined,
    }
  }

  /** Says goodbye and forgets the enrolment, as when a person removes the profile. */
  const checkOut = async () => {
    if (current().checkOutWhenRemoved) await checkin({ MessageType: 'CheckOut', Topic: current().topic })
    forget()
    say('Checked out: the device is no longer managed.')
  }

  /** Any check-in message, with the device's UDID. Throws REFUSED for anything but 200. */
  async function checkin(message: Record<string, PlistInput>): Promise<Answer> {
    const answer = await post(current().checkInUrl, { ...message, UDID: self.udid }, CHECKIN)
    if (answer.status !== 200) throw refused(`${String(message.MessageType)} was answered with ${answer.status}.`)
    return answer
  }

  // --- connect ------------------------------------------------------------------------------------------------------

  /** Asks for commands and answers them until there are no more. Returns how many were handled, NotNow included. */
  async function connect(who: { user?: User } = {}): Promise<number> {
    const naming_ = who.user ? naming(who.user) : {}
    const offered = new Map<string, number>()
    let answer = await report({ Status: 'Idle', ...naming_ })
    for (let handled = 0; ; handled++) {
      if (answer.body.length === 0) return handled
      const command = openCommand(answer.body)
      const uuid = command?.uuid ?? ''
      offered.set(uuid, (offered.get(uuid) ?? 0) + 1)
      if (offered.get(uuid)! > MOST_OFFERS || handled >= MOST_ROUNDS)
        throw refused(`The server does not stop offering ${uuid || 'malformed commands'}.`)
      const { status, outcome } = command
        ? await obey(command, who.user?.id)
        : { status: 'CommandFormatError', outcome: {} as Outcome }
      const faults = outcome.fault ? { ErrorChain: errorChain(outcome.fault) } : {}
      answer = await report({
        Status: status,
        ...(uuid ? { CommandUUID: uuid } : {}),
        ...outcome.values,
        ...faults,
        ...naming_,
      })
      if (await afterwards(outcome)) return handled + 1
    }
  }

  async function report(message: Record<string, PlistInput>): Promise<Answer> {
    const answer = await post(current().serverUrl, { ...message, UDID: self.udid }, CONNECT)
    if (answer.status !== 200) throw refused(`${String(message.Status)} was answered with ${answer.status}.`)
    return answer
  }

  async function obey(command: Command, user: string | undefined): Promise<{ status: string; outcome: Outcome }> {
    const outcome = await consider(command)
    const status = outcome === 'NotNow' ? 'NotNow' : outcome.fault ? 'Error' : 'Acknowledged'
    const { RequestType, ...keys } = command.dict
    executed.push({ requestType: command.type, commandUuid: command.uuid, at: new Date(), status, keys, user })
    say(
      `${command.type}: ${status}${outcome !== 'NotNow' && outcome.fault ? ` (${outcome.fault.code}, ${outcome.fault.text})` : ''}.`,
    )
    return { status, outcome: outcome === 'NotNow' ? {} : outcome }
  }

  async function consider({ type, dict }: Command): Promise<Outcome | 'NotNow'> {
    const busy = typeof device.notNow === 'function' ? device.notNow(type) : device.notNow && !alwaysNow.has(type)
    if (busy) return 'NotNow'
    const fault = refusal(type, { platform, supervised: state.supervised, rights: current().rights })
    if (fault) return { fault }
    const execute = executors.get(type)
    if (!execute) return { fault: { code: FAULT.unknownRequest, text: `This device cannot do “${type}”.` } }
    const outcome = execute(state, dict)
    if (outcome.after !== 'renew') return outcome
    const refusedRenewal = await renew(payloadBytes(dict))
    return refusedRenewal ? { fault: refusedRenewal } : {}
  }

  /** A new identity for the same enrolment. The answer to the command is signed with the new one already. */
  async function renew(bytes: Uint8Array): Promise<Fault | undefined> {
    try {
      const profile = openProfile(bytes)
      const next = enrolmentOf(profile)
      const fault = renewalRefusal(current(), next)
      if (fault) return fault
      state.identity = await makeIdentity(next)
      state.enrolment = next
      state.enrolmentProfile = Buffer.from(bytes)
      state.profiles = [profile, ...state.profiles.filter(one => one.identifier !== profile.identifier)]
      return undefined
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      return { code: FAULT.invalidReplacement, text }
    }
  }

  /** True when the device is gone. */
  async function afterwards({ after }: Outcome): Promise<boolean> {
    if (after === 'synchronise') await declarative('declaration-items')
    if (after === 'leave') await checkOut()
    if (after === 'erase') {
      forget()
      state.erased = true
      say('The device was erased and is gone.')
    }
    return after === 'leave' || after === 'erase'
  }

  // --- sending ------------------------------------------------------------------------------------------------------

  const post = (url: string, message: Record<string, PlistInput>, contentType: string) =>
    send(url, options.binary ? encodeBinaryPlist(message) : encodeXmlPlist(message), { contentType })

  /** A raw request. `where` is a URL, or `checkin` or `connect` for the device's own. */
  async function send(where: string, body: Uint8Array, raw: Raw = {}): Promise<Answer> {
    const url = where === 'checkin' ? current().checkInUrl : where === 'connect' ? current().serverUrl : where
    const { method = 'PUT', contentType = CONNECT } = raw
    const identity = raw.identity ?? state.identity
    const signature = signatureFor(body, raw.signature, identity)
    const headers = {
      ...(contentType === null ? {} : { 'content-type': contentType }),
      ...(signature === undefined ? {} : { 'mdm-signature': signature }),
      ...raw.headers,
    }
    const [client, target] = options.mutualTls && identity ? overTls(url, identity, options.mutualTls) : [http, url]
    return client.send(target, { method, headers, body })
  }

  function signatureFor(
    body: Uint8Array,
    wanted: Raw['signature'],
    identity: Identity | undefined,
  ): string | undefined {
    if (typeof wanted === 'string') return wanted
    if (wanted === false || !identity) return undefined
    if (wanted === undefined && (options.mutualTls || state.enrolment?.signMessage === false)) return undefined
    return mdmSignature(body, identity, wanted ?? options.signature)
  }

  function overTls(
    url: string,
    identity: Identity,
    { origin, ca }: NonNullable<DeviceOptions['mutualTls']>,
  ): [Http, string] {
    if (!tls?.certificate.equals(identity.certificate)) {
      tls?.http.close()
      tls = {
        http: createHttp({ ...options.http, ca, client: identityPem(identity) }),
        certificate: identity.certificate,
      }
    }
    const { pathname, search } = new URL(url)
    return [tls.http, new URL(pathname + search, origin).href]
  }

  function current(): Enrolment {
    if (!state.enrolment) throw refused(state.erased ? 'The device was erased.' : 'The device is not enrolled.')
    return state.enrolment
  }

  function forget() {
    state.enrolment = undefined
    state.enrolmentProfile = undefined
    state.identity = undefined
    state.profiles = []
    users.clear()
  }

  const device = {
    self,
    state,
    push,
    executed,
    users,
    /** True: NotNow to all but DeviceLock, EraseDevice and ClearPasscode. A function decides by RequestType. */
    notNow: false as boolean | ((requestType: string) => boolean),
    enrol,
    install,
    authenticate,
    tokenUpdate,
    checkin,
    connect,
    checkOut,
    addUser,
    setBootstrapToken,
    getBootstrapToken,
    declarative,
    send,
    http,
    close: () => {
      if (!options.sharedHttp) http.close()
      tls?.http.close()
    },
  }
  return device
}

const naming = (user: User) => ({
  UserID: user.id,
  UserShortName: user.shortName,
  UserLongName: user.longName,
  NotOnConsole: false,
})
const refused = (text: string) => new BulkheadError('REFUSED', text)

type Command = { uuid: string; type: string; dict: PlistDict }

/** Undefined where it is no command: the device answers CommandFormatError. */
function openCommand(body: Buffer): Command | undefined {
  try {
    const message = decodePlist(body)
    if (!isDict(message)) return undefined
    const dict = own(message, 'Command')
    const uuid = stringAt(message, 'CommandUUID')
    const type = isDict(dict) ? stringAt(dict, 'RequestType') : undefined
    return isDict(dict) && uuid && type ? { uuid, type, dict } : undefined
  } catch {
    return undefined
  }
}
