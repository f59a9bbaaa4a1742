import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyPair, KeyType } from '../simulator/identity.ts'
import { type Enrolment, enrolmentOf, openProfile } from '../simulator/profile.ts'
import { type Certificate, decodeCertificate } from '../src/wire/pkcs/certificate.ts'
import { encodeSignedData } from '../src/wire/pkcs/signed-data.ts'
import { encodeXmlPlist, type PlistInput } from '../src/wire/plist/plist.ts'
import { requestBytes } from './wire.ts'

/** As much of a device as the measurement needs: its requests, ready to be sent. */
export type BenchDevice = {
  udid: string
  /** The server's name for it, once a CommandUUID gave it away. */
  id: string | undefined
  enrolment: Enrolment
  keys: KeyPair
  certificate: Certificate | undefined
  authenticate: Buffer
  tokenUpdate: Buffer
  idle: Buffer
}

const CHECKIN = 'application/x-apple-aspen-mdm-checkin'
const CONNECT = 'application/x-apple-aspen-mdm'
const nothing = Buffer.alloc(0)

/** RSA keys take a tenth of a second each, so devices share a few of them: nobody who checks signatures can tell. */
const rsaKeys = Array.from<KeyPair>({ length: 8 })

function keysFor(index: number, type: KeyType): KeyPair {
  if (type === 'ec') return generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const at = index % rsaKeys.length
  rsaKeys[at] ??= generateKeyPairSync('rsa', { modulusLength: 2048 })
  return rsaKeys[at]
}

export function newDevice(index: number, profile: Uint8Array, keyType: KeyType): BenchDevice {
  const udid = `00008110-${index.toString(16).toUpperCase().padStart(16, '0')}`
  return {
    udid,
    id: undefined,
    enrolment: enrolmentOf(openProfile(profile)),
    keys: keysFor(index, keyType),
    certificate: undefined,
    authenticate: nothing,
    tokenUpdate: nothing,
    idle: nothing,
  }
}

/** Signs everything that can be signed beforehand. */
export function prepare(device: BenchDevice, der: Buffer): void {
  const { udid, enrolment } = device
  device.certificate = decodeCertificate(der)
  const checkin = (message: Record<string, PlistInput>) =>
    signedRequest(device, enrolment.checkInUrl, CHECKIN, { ...message, UDID: udid, Topic: enrolment.topic })
  device.authenticate = checkin({
    MessageType: 'Authenticate',
    DeviceName: `Bench ${udid.slice(-4)}`,
    Model: 'MTP13',
    ModelName: 'iPhone',
    ProductName: 'iPhone15,4',
    OSVersion: '18.1',
    BuildVersion: '22B83',
    SerialNumber: udid.slice(-10),
  })
  const token = Buffer.from(udid.replace('-', ''), 'hex')
  device.tokenUpdate = checkin({
    MessageType: 'TokenUpdate',
    PushMagic: udid,
    Token: Buffer.concat([token, token, token]).subarray(0, 32),
    UnlockToken: token,
  })
  device.idle = signedRequest(device, enrolment.serverUrl, CONNECT, { Status: 'Idle', UDID: udid })
}

const uuidAt = Buffer.from('<key>CommandUUID</key>')
const openTag = Buffer.from('<string>')

/** The CommandUUID of what a connect answered; undefined for an empty answer. */
export function uuidIn(body: Buffer): string | undefined {
  const key = body.indexOf(uuidAt)
  if (key < 0) return undefined
  const start = body.indexOf(openTag, key) + openTag.length
  return body.toString('latin1', start, body.indexOf(0x3c, start))
}

export function acknowledgement(device: BenchDevice, uuid: string): Buffer {
  const message = { Status: 'Acknowledged', UDID: device.udid, CommandUUID: uuid, ProfileList: [] }
  return signedRequest(device, device.enrolment.serverUrl, CONNECT, message)
}

function signedRequest(
  device: BenchDevice,
  url: string,
  contentType: string,
  message: Record<string, PlistInput>,
): Buffer {
  const body = encodeXmlPlist(message)
  const certificate = device.certificate!
  const signature = encodeSignedData({
    content: body,
    detached: true,
    certificates: [certificate.der],
    signer: {
      certificate,
      digest: 'sha256',
      signingTime,
      sign: bytes => sign('sha256', bytes, device.keys.privateKey),
    },
  })
  return requestBytes(
    { method: 'PUT', url, headers: { 'Content-Type': contentType, 'Mdm-Signature': signature.toString('base64') } },
    body,
  )
}
const signingTime = new Date()
