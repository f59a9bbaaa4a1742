import { connect } from 'node:net'
import type { Device } from '../../../simulator/device.ts'
import type { Answer } from '../../../simulator/http.ts'
import type { Identity } from '../../../simulator/identity.ts'
import type { Installation } from '../../support/installation.ts'

/** Who is there: a stranger may be any of them but the innocent. */
export type World = {
  home: Installation
  /** Enrolled, with a certificate that is its own, and hostile. */
  attacker: Device
  /** Enrolled before, and wants nothing but to check in. */
  innocent: Device
  /** Enrolled, and using its second certificate; `old` is the first. */
  renewed: { device: Device; old: Identity }
  /** The profile of an invitation that is not used up. */
  profileUrl: string
}

/** Answers that an item may get: HTTP statuses. 0: the connection is closed without one. */
export type Item = {
  name: string
  answers: number | readonly number[]
  send(world: World): Promise<Answer | readonly Answer[]>
  /** The attacker may change what is stored of itself. */
  stores?: true
}

/** Stands in everything hostile: no answer and no log may repeat it. */
export const CANARY = 'canary-9f2b7c'

export const pathOf = (url: string) => new URL(url).pathname

/** Bytes as they are, over a connection of their own; what came back until it was closed, or until `quietMs` without more. */
export function raw(origin: string, bytes: string | Buffer, quietMs = 150): Promise<Answer> {
  const { hostname, port } = new URL(origin)
  return new Promise(resolve => {
    let got: Buffer = Buffer.alloc(0)
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.setTimeout(quietMs + 3000) // for the first byte
    socket.on('data', chunk => {
      got = Buffer.concat([got, chunk as Buffer])
      socket.setTimeout(quietMs)
    })
    socket.on('timeout', () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => resolve(answerIn(got)))
  })
}

function answerIn(bytes: Buffer): Answer {
  const end = bytes.indexOf('\r\n\r\n')
  const head = bytes.toString('latin1', 0, Math.max(0, end)).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head[0] ?? '')?.[1] ?? 0)
  const headers = Object.fromEntries(
    head.slice(1).map(line => [line.split(':')[0]!.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status, headers, body: bytes.subarray(end + 4) }
}
