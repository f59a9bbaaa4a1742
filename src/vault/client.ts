import { type RpcClient, rpcClient } from '../base/rpc.ts'
import { MOST_SEALED } from '../trust/directory.ts'
import type { RecordName, VaultMethods } from './api.ts'
import { joinParts, splitParts } from './parts.ts'

type Result<M extends keyof VaultMethods> = VaultMethods[M]['result']
type Params<M extends keyof VaultMethods> = VaultMethods[M]['params']

/** The vault over a caller's own socket. Throws BulkheadError: the vault's own, or UNAVAILABLE where it is away. */
function calls(rpc: RpcClient) {
  const call = async <M extends keyof VaultMethods>(method: M, params: Params<M>) =>
    (await rpc.call(method, params)) as Result<M>
  const bytes = async <M extends keyof VaultMethods>(method: M, params: Params<M>, body?: Uint8Array) => {
    const answer = await rpc.callBytes(method, params, body)
    return { result: answer.result as Result<M>, bytes: answer.bytes }
  }
  return { call, bytes }
}

export type EdgeVault = ReturnType<typeof vaultForEdge>
export type ConsoleVault = ReturnType<typeof vaultForConsole>

export function vaultForEdge(path: string) {
  const rpc = rpcClient({ path, name: 'vault' })
  const { call, bytes } = calls(rpc)
  return {
    invitationPage: (invitation: string) => call('invitationPage', { invitation }),
    enrolmentProfile: (invitation: string) => call('enrolmentProfile', { invitation }),
    /** `certificate`: SHA-256, hex. */
    renewalProfile: (certificate: string) => call('renewalProfile', { certificate }),
    caCertificates: async () => (await bytes('caCertificates', {})).bytes,
    scep: async (path: string, message: Uint8Array) => (await bytes('scep', { path }, message)).bytes,
    /** Null: none is kept. */
    async bootstrapToken(params: Params<'bootstrapToken'>, body: Uint8Array) {
      const answer = await bytes('bootstrapToken', params, body)
      return answer.result.found ? answer.bytes : null
    },
    unlockToken: async (order: string, certificate: string) =>
      (await bytes('unlockToken', { order, certificate })).bytes,
    wake: () => call('wake', {}),
    close: () => rpc.close(),
  }
}

export function vaultForConsole(path: string) {
  const rpc = rpcClient({ path, name: 'vault' })
  const { call, bytes } = calls(rpc)
  return {
    invite: (params: Params<'invite'>) => call('invite', params),
    pushCsr: (organisation: string) => call('pushCsr', { organisation }),
    pushImport: (params: Params<'pushImport'>) => call('pushImport', params),
    pushShow: () => call('pushShow', {}),
    releaseKeys: (params: Params<'releaseKeys'>) => call('releaseKeys', params),
    writeRecords: (params: Params<'writeRecords'>) => call('writeRecords', params),
    /** `sealed`, and the `inner` halves of the answer: in the request's order, empty where there is none. */
    async release(params: Params<'release'>, sealed: readonly Uint8Array[]) {
      const answer = await bytes('release', params, joinParts(sealed))
      return { ...answer.result, inner: splitParts(answer.bytes, sealed.length, MOST_SEALED) }
    },
    erase: (params: Params<'erase'>) => call('erase', params),
    recordStates: (records: RecordName[]) => call('recordStates', { records }),
    wake: () => call('wake', {}),
    close: () => rpc.close(),
  }
}
