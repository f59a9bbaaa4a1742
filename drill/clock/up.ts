// bulkhead run drill/clock/up.ts --home DIR: `bulkhead up`, with a clock that a drill sets. The supervisor starts what it is told is Node;
// here that is a script which loads the shifted clock first. Nothing of the program itself knows of it.
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closedParent, prepareHome } from '../../src/cli/home.ts'
import { buildWeb, untilStopped } from '../../src/cli/up.ts'
import { clockFolder } from './clock.ts'

const { values } = parseArgs({ args: process.argv.slice(2), options: { home: { type: 'string' } } })
const home = prepareHome(values.home!)
const say = (line: string) => void process.stderr.write(`${line}\n`)
buildWeb(say)

const folder = clockFolder(home)
mkdirSync(folder, { recursive: true })
chmodSync(folder, 0o755)
const put = (name: string, mode: number, write: (path: string) => void) => {
  const path = join(folder, name)
  write(`${path}.new`)
  chmodSync(`${path}.new`, mode)
  renameSync(`${path}.new`, path)
  return path
}
const preload = put('preload.ts', 0o644, path => copyFileSync(join(import.meta.dirname, 'preload.ts'), path))
put('shift', 0o644, path => writeFileSync(path, '0'))
// The compartments' users must be able to run it.
const node =
  closedParent(process.execPath) === undefined
    ? process.execPath
    : put('real-node', 0o755, path => copyFileSync(process.execPath, path))
const script = `#!/bin/sh\nexec '${node}' --allow-fs-read='${folder}' --import '${preload}' "$@"\n`
process.execPath = put('node', 0o755, path => writeFileSync(path, script))

process.exitCode = await untilStopped({ home, say }, async () => {})
