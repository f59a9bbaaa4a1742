import { encodeBinaryPlist, encodeXmlPlist, type PlistInput } from '../src/wire/plist/plist.ts'
import { type Answer, createHttp, type Http } from './http.ts'
import { type Identity, identityPem, mdmSignature, type SignatureShape } from './identity.ts'
import type { DeviceOptions } from './options.ts'
import { current, type DeviceState } from './state.ts'

/** What a raw request shall carry. `signature`: `false` for none, a string as it is, else a shape. */
export type Raw = {
  method?: string
  contentType?: string | null
  signature?: false | string | SignatureShape
  identity?: Identity
  headers?: Record<string, string>
}
export type Channel = ReturnType<typeof createChannel>

export const CHECKIN = 'application/x-apple-aspen-mdm-checkin'
export const CONNECT = 'application/x-apple-aspen-mdm'

/** How a device talks to its server: HTTP with a signature header, or mutual TLS with its identity. */
export function createChannel(options: DeviceOptions, state: DeviceState) {
  const http = options.sharedHttp ?? createHttp(options.http)
  let tls: { http: Http; certificate: Buffer } | undefined

  /** A raw request. `where` is a URL, or `checkin` or `connect` for the device's own. */
  async function send(where: string, body: Uint8Array, raw: Raw = {}): Promise<Answer> {
    const url = ownUrl(where)
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

  function ownUrl(where: string): string {
    if (where === 'checkin') return current(state).checkInUrl
    return where === 'connect' ? current(state).serverUrl : where
  }

  function signatureFor(body: Uint8Array, wanted: Raw['signature'], identity: Identity | undefined) {
    if (typeof wanted === 'string') return wanted
    if (wanted === false || !identity) return undefined
    if (wanted === undefined && (options.mutualTls || state.enrolment?.signMessage === false)) return undefined
    return mdmSignature(body, identity, wanted ?? options.signature)
  }

  /** A connection belongs to one certificate: a renewed identity gets new ones. */
  function overTls(url: string, identity: Identity, to: NonNullable<DeviceOptions['mutualTls']>): [Http, string] {
    if (!tls?.certificate.equals(identity.certificate)) {
      tls?.http.close()
      const client = createHttp({ ...options.http, ca: to.ca, client: identityPem(identity) })
      tls = { http: client, certificate: identity.certificate }
    }
    const { pathname, search } = new URL(url)
    return [tls.http, new URL(pathname + search, to.origin).href]
  }

  return {
    http,
    send,
    /** A property list to `checkin` or `connect`, with the device's UDID. */
    post: (where: 'checkin' | 'connect', message: Record<string, PlistInput>) => {
      const whole = { ...message, UDID: state.self.udid }
      const contentType = where === 'checkin' ? CHECKIN : CONNECT
      return send(where, options.binary ? encodeBinaryPlist(whole) : encodeXmlPlist(whole), { contentType })
    },
    close: () => {
      if (!options.sharedHttp) http.close()
      tls?.http.close()
    },
  }
}
