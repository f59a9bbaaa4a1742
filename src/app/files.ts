import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, sep } from 'node:path'
import { BulkheadError } from '../base/errors.ts'

/** The built app, read once at the start: no name in a request ever reaches the file system. */
export type AppFile = { bytes: Buffer; type: string; etag: string; immutable: boolean }
export type AppFiles = { find(path: string): AppFile | undefined }

const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}
const MOST_BYTES = 64 * 1024 * 1024

/** A path without an extension is one of the app's own routes, and gets its one page. Throws MISSING_PART. */
export function readAppFiles(folder: string): AppFiles {
  const files = new Map<string, AppFile>()
  let size = 0
  for (const name of namesIn(folder)) {
    const path = join(folder, name)
    const type = TYPES[extname(name)]
    if (type === undefined || !statSync(path).isFile()) continue
    const file = fileOf(readFileSync(path), type, name.startsWith(`assets${sep}`))
    size += file.bytes.length
    if (size > MOST_BYTES) throw missing('The folder of the admin app holds more than an app.')
    files.set(`/${name.split(sep).join('/')}`, file)
  }
  const page = files.get('/index.html')
  if (!page) throw missing('The admin app is not built.')
  return { find: path => files.get(path) ?? (isRoute(path) ? page : undefined) }
}

const isRoute = (path: string) => /^\/[A-Za-z0-9/_-]{0,200}$/.test(path)

/** Names of assets hold their digest, so a browser may keep them. */
const fileOf = (bytes: Buffer, type: string, immutable: boolean): AppFile => {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { bytes, type, etag, immutable }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch (cause) {
    throw missing('The admin app is not built.', cause)
  }
}

const missing = (message: string, cause?: unknown) =>
  new BulkheadError('MISSING_PART', message, { remedy: 'Start it with bulkhead up, which builds it.', cause })
