import type { Channel } from './channel.ts'
import { type Identity, makeKeys, throwAwaySigner } from './identity.ts'
import type { DeviceOptions } from './options.ts'
import { type Enrolment, enrolmentOf, openProfile, renewalRefusal } from './profile.ts'
import { FAULT, type Fault } from './rights.ts'
import { enrolScep, learnServer } from './scep.ts'
import { current, type DeviceState, refused } from './state.ts'

export type Enroller = ReturnType<typeof createEnroller>

/** What the server said, on one line and without its code. */
const wordsOf = (body: Buffer) =>
  body
    .toString('utf8', 0, 200)
    .replace(/^[A-Z_]+: /, '')
    .split('\n', 1)[0]

/** Installing an enrolment profile, for the first time and again. */
export function createEnroller(options: DeviceOptions, state: DeviceState, { http }: Channel) {
  const say = options.say ?? (() => {})

  /** The first half of an enrolment: profile, key and certificate. Nothing is said on the check-in URL yet. */
  async function install(source: Uint8Array | string): Promise<void> {
    if (state.erased) throw refused('The device was erased.')
    if (state.enrolment) throw refused('The device is managed already: it has one enrolment at a time.')
    const bytes = typeof source === 'string' ? await fetchProfile(source) : Buffer.from(source)
    const profile = openProfile(bytes)
    const enrolment = enrolmentOf(profile)
    const signed = profile.signer ? 'signed' : 'unsigned'
    say(`Opened the profile “${profile.name}” (${signed}, AccessRights ${enrolment.rights}).`)
    state.identity = await makeIdentity(enrolment)
    state.enrolment = enrolment
    state.enrolmentProfile = bytes
    state.profiles = [profile]
  }

  async function fetchProfile(url: string): Promise<Buffer> {
    const { status, headers, body } = await http.send(url)
    if (status !== 200) throw refused(`The server gave no profile (${status}): ${wordsOf(body)}`)
    if (!headers['content-type']?.startsWith('application/x-apple-aspen-config'))
      throw refused(`A profile of type ${headers['content-type']}.`)
    return body
  }

  async function makeIdentity({ scep }: Enrolment): Promise<Identity> {
    const keys = options.keys ?? (await makeKeys(options.keyType ?? 'rsa', scep.keySize))
    const isRsa = keys.publicKey.asymmetricKeyType === 'rsa'
    const signer = options.signer ?? throwAwaySigner(isRsa ? keys : await makeKeys('rsa'), new Date())
    const server = await (options.scepServer ?? learnServer)(http, scep.url)
    const { url, challenge } = scep
    const identity = await enrolScep(http, server, { url, challenge, keys, signer, commonName: state.self.udid })
    say('Received a certificate by SCEP.')
    return identity
  }

  /** A new identity for the same enrolment, or why the device refuses. The command is answered with the new identity already. */
  async function renew(bytes: Uint8Array): Promise<Fault | undefined> {
    try {
      const profile = openProfile(bytes)
      const next = enrolmentOf(profile)
      const fault = renewalRefusal(current(state), next)
      if (fault) return fault
      state.identity = await makeIdentity(next)
      state.enrolment = next
      state.enrolmentProfile = Buffer.from(bytes)
      state.profiles = [profile, ...state.profiles.filter(one => one.identifier !== profile.identifier)]
      return undefined
    } catch (error) {
      return { code: FAULT.invalidReplacement, text: error instanceof Error ? error.message : String(error) }
    }
  }

  return { install, renew }
}
