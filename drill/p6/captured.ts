// Run in the vault's place, as its user: drill/p6/captured.ts HOME DEVICE. Takes all that it has, and writes it down as JSON.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import { loadConfig } from '../../src/base/config.ts'
import { signVoucher, type Voucher } from '../../src/trust/voucher.ts'
import { makeCertificate } from '../../src/vault/certificate.ts'
import { loadVaultKeys, newSerial } from '../../src/vault/keys.ts'
import { readKeyring } from '../people/keyring.ts'
import { columnsRead, filesReached } from '../reached.ts'
import type { Taken } from './drill.ts'

const [home = '', device = ''] = process.argv.slice(2)
const config = loadConfig('vault', ['--home', home])
const database = new pg.Pool({ ...config.database!, max: 2 })

/** A certificate for a device that has one already, and its voucher: signed by the vault's own keys, and in no ledger. */
async function ghost(): Promise<Taken['ghost']> {
  const keys = loadVaultKeys(config.keysDir)
  const { rows } = await database.query('select voucher from vault.certificate where device_id = $1', [device])
  const voucher = JSON.parse(rows[0].voucher) as Voucher
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const serial = newSerial(randomBytes)
  const { der, sha256 } = await makeCertificate({ ...voucher, publicKey: spki }, serial, keys)
  const signed = signVoucher(
    { ...voucher, publicKey: spki, certificate: sha256 },
    Buffer.from(config.genesisDigest, 'hex'),
    keys.voucher,
  )
  await database.query(
    `insert into vault.certificate (sha256, device_id, path_id, serial, voucher, signature, not_after)
     values ($1, $2, $3, $4, $5, $6, to_timestamp($7))`,
    [
      ...[Buffer.from(sha256, 'hex'), voucher.device, voucher.path, serial.toString('hex')],
      ...[signed.text, signed.signature, voucher.notAfter],
    ],
  )
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return { key, certificate: der.toString('base64') }
}

const texts = await columnsRead(database)
const held = readKeyring(join(config.dataDir, 'keyring'))
const others = ['edge', 'console', 'ledger', 'watch', 'supervisor', 'pg', 'run']
const reached = others
  .flatMap(name => filesReached(join(home, name), 'read'))
  .filter(path => !Object.values({ ...config.serves, ...config.calls }).includes(path))
const taken: Taken = {
  texts,
  reached,
  keys: Object.fromEntries(
    [...held.contents.rows.madeBefore(Infinity)].map(place => [
      place.id,
      held.contents.rows.find(place)!.key.toString('hex'),
    ]),
  ),
  ghost: await ghost(),
  woken: (await database.query(`update edge.wake set due = now(), attempts = 0`)).rowCount ?? 0,
}
await database.end()
process.stdout.write(JSON.stringify(taken))
