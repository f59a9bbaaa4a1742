import type { Side } from './sides.ts'

// Every table of the program, in three kinds. A table that is added belongs to one of them: a test says so until it does.

/** About a device's work: how the row of a side is found. */
export const tables: Record<string, { key: string; of: (side: Side) => string }> = {
  'edge.device': { key: 'device_id', of: ({ id }) => id },
  'vault.certificate': { key: 'device_id', of: ({ id }) => id },
  'edge.pending': { key: 'order_id', of: ({ order }) => order },
  'console.orders': { key: 'order_id', of: ({ order }) => order },
  'console.approval': { key: 'order_id', of: ({ order }) => order },
}

/** With attacks of their own. */
export const elsewhere = [
  'console.invitation',
  'console.group_version',
  'console.proposal',
  'console.proposal_approval',
  'vault.bootstrap_token',
  // The sealed directory: people.ts.
  'console.writer',
  'console.record',
  'console.member_key',
  'console.unit_share',
  'console.assignment',
]

/** Of which nothing is ever sent to a device. */
export const harmless = [
  'edge.user_channel',
  'edge.result',
  'edge.history',
  'edge.wake',
  'console.session',
  'watch.trace',
]
