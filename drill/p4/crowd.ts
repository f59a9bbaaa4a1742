import { acknowledgement, type BenchDevice, newDevice, prepare } from '../../bench/device.ts'
import { run, type Step } from '../../bench/load.ts'
import { requestBytes } from '../../bench/wire.ts'
import { createHttp } from '../../simulator/http.ts'
import { makeKeys, throwAwaySigner } from '../../simulator/identity.ts'
import { refusal } from '../../simulator/rights.ts'
import { learnServer, openAnswer, scepRequest } from '../../simulator/scep.ts'
import { uuidText } from '../../src/trust/token.ts'
import { isDict, own, stringAt } from '../../src/wire/apple/dict.ts'
import { decodePlist } from '../../src/wire/plist/plist.ts'

// Thousands of devices as protocol messages alone. Each obeys what it is sent as a device would: within its rights, once, and an erased one
// is gone.

export type CrowdDevice = {
  id: string
  tier: string
  bench: BenchDevice
  wiped: boolean
  /** What it was sent, whether or not it obeyed. */
  sent: { type: string; uuid: string; hour: number }[]
}

const CONNECTIONS = 16
const LONG_MS = 1_200_000
let made = 0

/** Enrols so many devices with the tier of this invitation. */
export async function enrolCrowd(profileUrl: string, tier: string, count: number): Promise<CrowdDevice[]> {
  const fetched: BenchDevice[] = []
  const profile = requestBytes({ method: 'GET', url: profileUrl })
  await all(profileUrl, Array.from({ length: count }), () => [
    profile,
    body => void fetched.push(newDevice(made++, Buffer.from(body), 'rsa')),
  ])
  const first = fetched[0]!
  const http = createHttp()
  const server = await learnServer(http, first.enrolment.scep.url)
  http.close()
  const signer = throwAwaySigner(await makeKeys('rsa'), new Date())
  await all(first.enrolment.scep.url, fetched, device => {
    const { url, challenge } = device.enrolment.scep
    const ask = { url, challenge, keys: device.keys, signer, commonName: device.udid }
    const { body, ...transaction } = scepRequest(server, ask)
    const head = {
      method: 'POST',
      url: `${url}?operation=PKIOperation`,
      headers: { 'Content-Type': 'application/x-pki-message' },
    }
    return [
      requestBytes(head, body),
      answer => prepare(device, openAnswer(Buffer.from(answer), server, signer, transaction)),
    ]
  })
  for (const message of ['authenticate', 'tokenUpdate'] as const)
    await all(first.enrolment.checkInUrl, fetched, device => [device[message], () => {}])
  return fetched.map(bench => {
    const token = new URL(bench.enrolment.serverUrl).pathname.split('/')[2]!
    return { id: uuidText(Buffer.from(token, 'base64url').subarray(0, 16)), tier, bench, wiped: false, sent: [] }
  })
}

/** One request for each, over kept connections. Throws where one of them fails. */
async function all<T>(
  url: string,
  items: readonly T[],
  ask: (item: T) => [Buffer, (body: Buffer) => void],
): Promise<void> {
  const { hostname: host, port } = new URL(url)
  let at = 0
  const next = (): Step | undefined => {
    if (at >= items.length) return undefined
    const [request, taken] = ask(items[at++]!)
    return answer => {
      if (!answer) return request
      if (answer.status === 200) taken(answer.body)
      return undefined
    }
  }
  const { failures } = await run({ host, port: Number(port), connections: CONNECTIONS, next, until: LONG_MS })
  if (Object.keys(failures).length > 0) throw new Error(`Devices could not enrol: ${JSON.stringify(failures)}`)
}

const MOST_COMMANDS = 60 // in one connect

/** Those that still exist connect, and do what they are told. `hour`: of the drill. Returns how many were answered with an error. */
export async function connectCrowd(devices: readonly CrowdDevice[], hour: number): Promise<number> {
  const there = devices.filter(({ wiped }) => !wiped)
  if (there.length === 0) return 0
  const { hostname: host, port } = new URL(there[0]!.bench.enrolment.serverUrl)
  let at = 0
  const next = (): Step | undefined => {
    const device = there[at++]
    if (!device) return undefined
    let commands = 0
    return answer => {
      if (!answer) return device.bench.idle
      if (answer.status !== 200 || answer.body.length === 0 || device.wiped || ++commands > MOST_COMMANDS)
        return undefined
      return obey(device, answer.body, hour)
    }
  }
  const { failures } = await run({ host, port: Number(port), connections: CONNECTIONS, next, until: LONG_MS })
  return Object.values(failures).reduce((sum, one) => sum + one, 0)
}

function obey(device: CrowdDevice, body: Buffer, hour: number): Buffer | undefined {
  const message = decodePlist(body)
  const command = isDict(message) ? own(message, 'Command') : undefined
  const uuid = isDict(message) ? stringAt(message, 'CommandUUID') : undefined
  const type = isDict(command) ? stringAt(command, 'RequestType') : undefined
  if (!uuid || !type) return undefined
  device.sent.push({ type, uuid, hour })
  const { rights } = device.bench.enrolment
  if (type === 'EraseDevice') device.wiped = !refusal(type, { platform: 'iOS', supervised: false, rights })
  return acknowledgement(device.bench, uuid)
}
