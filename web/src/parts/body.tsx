import { useEffect, useState } from 'react'
import { isDict, type Plist, type PlistDict, readPlist } from '../plist.ts'
import { fromBase64, sha256Hex } from '../statement.ts'
import { spaced } from '../words.ts'
import { Pairs } from './page.tsx'

/** What a hole of a template becomes, in words. */
const HOLES: Record<string, string> = {
  '{{allowed-queries}}': 'every fact that the enrolment allows',
  '{{unlock-token}}': 'the device’s own unlock token',
  '{{device-id}}': 'the device’s id',
}

/** The settings of a command, as they stand in the bytes that are approved. */
export function CommandBody({ command }: { command: PlistDict }) {
  const rows = Object.entries(command)
    .filter(([key]) => key !== 'RequestType')
    .map(([key, value]) => ({ key, name: spaced(key), value: <Value value={value} /> }))
  return rows.length === 0 ? <p>This command has no settings.</p> : <Pairs rows={rows} />
}

function Value({ value }: { value: Plist }) {
  if (typeof value === 'boolean') return value ? 'Yes' : 'No'
  if (typeof value === 'string') return HOLES[value] ?? value
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return <List items={value} />
  if (isDict(value)) return <CommandBody command={value} />
  return HOLES[value.base64] ?? <Data base64={value.base64} />
}

const List = ({ items }: { items: Plist[] }) => (
  <ul className="plain">
    {items.map((item, at) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: the items have no names and never move
      <li key={at}>
        <Value value={item} />
      </li>
    ))}
  </ul>
)

/** A file: what is in it where it is a profile in plain text, and always its size and SHA-256. */
function Data({ base64 }: { base64: string }) {
  const [digest, setDigest] = useState('')
  const bytes = fromBase64(base64)
  useEffect(() => {
    sha256Hex(fromBase64(base64)).then(setDigest)
  }, [base64])
  const profile = profileIn(bytes)
  return (
    <>
      {profile && <p className="strong">{titleOf(profile)}</p>}
      <p>{bytes.length.toLocaleString('en-GB')} bytes</p>
      <p className="mono breaks">SHA-256 {digest}</p>
      {profile && (
        <details>
          <summary>All that is in it</summary>
          <CommandBody command={profile} />
        </details>
      )}
    </>
  )
}

function profileIn(bytes: Uint8Array): PlistDict | undefined {
  try {
    const profile = readPlist(bytes)
    return isDict(profile) ? profile : undefined
  } catch {
    return undefined
  }
}

function titleOf({
  PayloadDisplayName: name,
  PayloadIdentifier: identifier,
  PayloadContent: content,
}: PlistDict): string {
  const types = Array.isArray(content) ? content.map(one => (isDict(one) ? String(one.PayloadType) : '?')) : []
  return `${name ?? 'A profile without a name'} (${identifier ?? 'no identifier'}): ${types.join(', ') || 'nothing in it'}`
}
