import { join } from 'node:path'
import { dataPath, genesisPath, ownPath, socketFolder } from '../cli/home.ts'
import { type CompartmentName, compartment, type IntakeName, intakes } from './compartments.ts'

/** For every process of ours, the supervisor and the command line included. */
export const commonFlags = [
  '--disable-sigusr1',
  '--disable-proto=delete',
  '--disallow-code-generation-from-strings',
  '--disable-warning=ExperimentalWarning',
]

const read = (path: string) => `--allow-fs-read=${path}`
const write = (path: string) => `--allow-fs-write=${path}`
const code = ['bin', 'src', 'node_modules', 'package.json']

/** The least that Node lets this compartment do. Folders of listening sockets are written; a connection needs no file permission. */
export function compartmentFlags(name: CompartmentName, home: string, program: string): string[] {
  const { callers, reads, network, forgets } = compartment(name)
  const sockets = callers.map(caller => socketFolder(home, name, caller))
  return [
    '--permission',
    ...commonFlags,
    ...[...code, ...reads].map(part => read(join(program, part))),
    ...[ownPath(home, name), genesisPath(home), ...sockets].map(read),
    ...[dataPath(home, name), ...sockets].map(write),
    ...(network ? ['--allow-net'] : []),
    ...(forgets ? ['--expose-gc'] : []),
  ]
}

const PARSER_HEAP = 256 // MiB: what makes a parser larger than that ends it, and the next one starts

/** A parser reads its own code, and nothing else exists for it. */
export function intakeFlags(name: IntakeName, program: string): string[] {
  const own = [intakes[name].entry, 'src/intake', 'src/wire', 'src/trust', 'src/base', 'package.json']
  return [
    '--permission',
    `--max-old-space-size=${PARSER_HEAP}`,
    ...commonFlags,
    ...own.map(part => read(join(program, part))),
  ]
}
