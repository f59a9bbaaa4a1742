import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { isRoot } from '../cli/home.ts'
import { type CompartmentName, compartment, type IntakeName, intakes } from './compartments.ts'
import type { Family } from './family.ts'
import { compartmentFlags, intakeFlags } from './flags.ts'
import { type Kept, keep } from './keep.ts'
import type { Program } from './program.ts'

export type Nursery = { home: string; program: Program; family: Family; say: (line: string) => void }

/** Keeps one compartment alive. It ends by SIGTERM, or by itself when the supervisor's channel closes. `said` gets its messages. */
export function keepCompartment(
  nursery: Nursery,
  name: CompartmentName,
  said: (message: Record<string, unknown>) => void,
): Kept {
  const { home, program, family, say } = nursery
  const { uid, entry, intake } = compartment(name)
  return family.add(name, () =>
    keep({
      name,
      say,
      log: family.log(name),
      start: () =>
        launch(program, compartmentFlags(name, home, program.root), entry, home, uid, [
          'ignore',
          'ignore',
          'pipe',
          'ipc',
        ]),
      started(child) {
        child.on('message', message => {
          if (typeof message === 'object' && message !== null) said(message as Record<string, unknown>)
        })
        if (intake !== undefined) void replaceIntake(nursery, intake as IntakeName, child)
      },
    }),
  )
}

/** A parser belongs to one life of its owner: with the owner its stdin ends, and so does the parser. */
async function replaceIntake(nursery: Nursery, name: IntakeName, owner: ChildProcess) {
  const { home, program, family, say } = nursery
  await family.get(name)?.stop(500)
  if (!owner.connected) return
  const { uid, entry } = intakes[name]
  const intake = family.add(name, () =>
    keep({
      name,
      say,
      log: family.log(name),
      recycles: true,
      start: () => launch(program, intakeFlags(name, program.root), entry, home, uid, ['pipe', 'ignore', 'pipe']),
      started: child => handOver(child, owner, () => void intake.stop(500)),
    }),
  )
  owner.once('exit', () => void intake.stop(500))
}

/** The owner gets the other end of the parser's stdin; from then on nothing of theirs passes through here. */
function handOver(child: ChildProcess, owner: ChildProcess, giveUp: () => void) {
  if (!owner.connected) return giveUp()
  owner.send({ t: 'intake' }, child.stdin as Socket, error => {
    if (error) giveUp() // the owner's next life gets a parser of its own
  })
}

type Stdio = ('ignore' | 'pipe' | 'ipc')[]

function launch(
  program: Program,
  flags: string[],
  entry: string,
  home: string,
  uid: number,
  stdio: Stdio,
): ChildProcess {
  return spawn(program.node, [...flags, join(program.root, entry), '--home', home], {
    cwd: program.root,
    env: {},
    stdio,
    detached: true, // a terminal's Ctrl-C is for the supervisor, which ends the others in order
    ...(isRoot() ? { uid, gid: uid } : {}),
  })
}
