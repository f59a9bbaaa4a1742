import { readFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { decodeTilePath, narrowBundle, TILE_WIDTH, type Tile, tilePath } from '../wire/tlog/tile.ts'
import type { LogName } from './api.ts'
import { COSIGNED } from './store.ts'

/**
 * Tiles and checkpoints for anyone, read-only. Rules: GET and HEAD; the paths of the format and no other, so no file name is ever
 * taken from a request but built anew from what was understood of it; everything else is one identical 404.
 */
type Found = { type: string; cache: string; body: Buffer }
/** What a log shows: its head, the last one that witnesses signed, and what of a tile is in memory. Full bundles are in its files. */
export type Shown = {
  head: { note: string }
  cosigned: { note: string } | undefined
  tile(tile: Tile): Buffer | null
}

/** Every route there is, below /main/ and /control/, for GET and HEAD. With a slash at its end it stands for all tiles below. */
export const ROUTES: Record<string, (log: Shown, folder: string, rest: string) => Promise<Found | null>> = {
  checkpoint: async log => noteOf(log.head),
  [COSIGNED]: async log => (log.cosigned ? noteOf(log.cosigned) : null),
  'tile/': async (log, folder, rest) => {
    const tile = decodeTilePath(`tile/${rest}`)
    return tile && findTile(log, folder, tile)
  },
}
const PATH = /^\/(main|control)\/([a-z]{1,20}(?:\/|\.cosigned)?)([0-9a-z/.]{0,60})$/
const HASH = 32
const IMMUTABLE = 'public, max-age=31536000, immutable'

export function serveTiles(options: {
  dir: string
  logs: Record<LogName, Shown>
  host: string
  port: number
  log: Log
}): Promise<Server> {
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 5000 },
    (request, response) => {
      find(options, request.method, request.url)
        .catch(error => {
          options.log.error('ledger.tiles', {}, error)
          return null
        })
        .then(found => reply(response, found, request.method === 'HEAD'))
    },
  )
  server.maxConnections = 1000
  server.maxRequestsPerSocket = 10_000
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'EADDRINUSE' ? 'PORT_BUSY' : 'UNAVAILABLE'
      reject(new BulkheadError(code, `The ledger cannot listen on ${options.host}:${options.port}.`, { cause }))
    })
    server.listen(options.port, options.host, () => resolve(server))
  })
}

type Place = { dir: string; logs: Record<LogName, Shown> }

async function find({ dir, logs }: Place, method: string | undefined, url: string | undefined): Promise<Found | null> {
  const match = method === 'GET' || method === 'HEAD' ? PATH.exec(url ?? '') : null
  if (!match) return null
  const [, log, name, rest] = match as unknown as [string, LogName, string, string]
  if (!Object.hasOwn(ROUTES, name) || (rest !== '' && !name.endsWith('/'))) return null
  return ROUTES[name]!(logs[log], join(dir, log), rest)
}

const noteOf = ({ note }: { note: string }): Found => ({
  type: 'text/plain; charset=utf-8',
  cache: 'no-store',
  body: Buffer.from(note),
})

async function findTile(log: Shown, folder: string, tile: Tile): Promise<Found | null> {
  const body = log.tile(tile) ?? (await read(join(folder, tilePath(tile)))) ?? (await beginning(folder, tile))
  const cache = tile.width === TILE_WIDTH ? IMMUTABLE : 'public, max-age=60'
  return body && { type: 'application/octet-stream', cache, body }
}

/** A partial tile is dropped when the full one is there, and is the beginning of it. */
async function beginning(folder: string, tile: Tile): Promise<Buffer | null> {
  if (tile.width === TILE_WIDTH) return null
  const full = await read(join(folder, tilePath({ ...tile, width: TILE_WIDTH })))
  if (!full) return null
  return tile.level === 'entries' ? narrowBundle(full, tile.width) : full.subarray(0, tile.width * HASH)
}

async function read(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function reply(response: ServerResponse, found: Found | null, headOnly: boolean) {
  const { type, cache, body } = found ?? {
    type: 'text/plain; charset=utf-8',
    cache: 'no-store',
    body: Buffer.from('Not found\n'),
  }
  response.writeHead(found ? 200 : 404, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': cache,
    'x-content-type-options': 'nosniff',
    'access-control-allow-origin': '*', // public by design: other people's verifiers run in browsers too
  })
  response.end(headOnly ? undefined : body)
}
