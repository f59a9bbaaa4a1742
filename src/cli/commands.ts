import type { Command, Option } from './args.ts'

/** Every command. A row teaches (`--help`) and says which file does it; the file is loaded only when it is asked for. */
const json: Option = { type: 'boolean', about: 'print JSON' }
const passkey: Option = {
  type: 'string',
  value: 'FILE',
  about: 'the software passkey that approves; the roster must allow such',
}
const reason: Option = {
  type: 'string',
  value: 'TEXT',
  about: 'why; sealed and kept for auditors, its digest is in the order. Tell approvers yourself',
}
const text = (value: string, about: string): Option => ({ type: 'string', value, about })
const many = (value: string, about: string): Option => ({ type: 'string', multiple: true, value, about })

const digest = text('HEX', 'sign only what has this digest, which creating it printed')

const unitOption = text('NAME', 'alias or id of the unit (default: the first one, root)')
const purposeOption = text(
  'WORD',
  'support, handover, inventory, incident, leaver, indexing or resealing: it stands in the ledger (default support)',
)

const ports: Record<string, Option> = {
  'edge-port': text('N', 'port that devices use; 0 picks one (default: a free one, remembered)'),
  'edge-tls-port': text('N', 'port for mutual TLS'),
  'console-port': text('N', "port of the administrators' API"),
  'app-port': text('N', 'port of the admin app; fixed once passkeys exist, 0 shows but cannot approve'),
  'ledger-port': text('N', "port of the ledger's public tiles"),
  'edge-bind': text('ADDR', 'address that the edge listens on (default 127.0.0.1)'),
  'public-url': text('URL', 'what devices are told to reach, for example https://mdm.example.org; remembered'),
  'tls-cert': text('FILE', "PEM certificate chain of the edge's TLS listener"),
  'tls-key': text('FILE', 'its PEM key'),
  'trusted-proxy': text('ADDR', 'address of the proxy whose Client-Cert header is believed'),
  witness: many(
    'URL[#VKEY]',
    "a witness of the ledger in other hands; may be repeated, remembered, 'none' forgets all. With its key, only what that key signed is kept",
  ),
  'apns-url': text('URL', 'another push service, for tests'),
  'apns-ca': text('FILE', 'PEM certificate that this push service is checked against'),
}
const order = () => import('./order.ts')
const device = () => import('./device.ts')
const group = () => import('./group.ts')
const push = () => import('./push.ts')
const ledger = () => import('./ledger.ts')
const standing = () => import('./standing.ts')
const roster = () => import('./roster.ts')
const people = () => import('./people.ts')
const freeze = () => import('./freeze.ts')

export const commands: Record<string, Command> = {
  up: {
    summary: 'start an installation and stay until it is told to stop',
    usage: '[options]',
    about:
      'Starts PostgreSQL (embedded, or DATABASE_URL) and every compartment, and prints one JSON line with the URLs when all of them serve. In a home that was never initialised it first serves the set-up page. SIGTERM stops everything.',
    example: 'bulkhead up --home ./office --edge-port 8080',
    options: ports,
    words: [0, 0],
    load: () => import('./up.ts'),
  },
  init: {
    summary: 'make the keys and the genesis of a new installation',
    usage: '--software-passkey FILE [--owner ALIAS] [options]',
    about:
      "Works offline, in an empty home. It makes every compartment's keys, the first roster, and eight paper codes that freeze every delivery, in FILE.freeze-codes. What destroys or changes trust takes two members: name the second with --member, or later with bulkhead roster propose. Without this command, the first page of the admin app does the same with a real passkey.",
    example: 'bulkhead init --home ./office --owner brisk-heron --software-passkey owner.json',
    options: {
      owner: text('ALIAS', 'alias of the first member (default owner)'),
      'software-passkey': text('FILE', "the owner's software passkey: made, and readable by you alone"),
      member: many('ALIAS=FILE', 'a further member with a software passkey; may be repeated'),
      'app-port': text('N', 'port of the admin app, for ever part of its origin'),
      name: text('NAME', "name of the installation and of its ledger's origin"),
      policy: text('FILE', 'parts of the policy as JSON, in place of the usual ones: quorum, budgets, coolingOff …'),
      json,
    },
    words: [0, 0],
    load: () => import('./init.ts'),
  },
  demo: {
    summary: 'start a simulated office to look at',
    usage: '[options]',
    about:
      'Starts an installation with about 40 people under aliases and 60 simulated devices in named states, with software passkeys. For looking at, never for real devices.',
    example: 'bulkhead demo --home /tmp/office',
    options: ports,
    words: [0, 0],
    load: () => import('./demo.ts'),
  },
  doctor: {
    summary: 'list every wall and whether it stands here',
    usage: '[--json]',
    about:
      'Looks at this machine and this home, running or not, and says of each wall whether it stands, why, and what to do. Kinds: D device-enforced, M mathematical, O operating system, E evidence.',
    example: 'bulkhead doctor --home ./office',
    options: { json },
    words: [0, 0],
    load: () => import('./doctor.ts'),
  },
  'passkey create': {
    summary: 'make a software passkey',
    usage: 'FILE --alias ALIAS',
    about:
      'Makes a passkey in a file, for tests and the demo. A roster says whether such passkeys count at all; a real one never leaves its authenticator.',
    example: 'bulkhead passkey create second.json --alias calm-otter',
    options: { alias: text('ALIAS', 'alias of the member'), json },
    words: [1, 1],
    load: () => import('./passkey.ts'),
  },
  'invite create': {
    summary: 'invite devices to enrol',
    usage: '--platform apple --tier private|no-wipe|full --passkey FILE [options]',
    about:
      'An invitation is a statement that a member approves. It decides for ever what the server may do to the devices that use it: a device refuses to widen its rights later. Its page shows a QR code; each use is counted in the ledger.',
    example: 'bulkhead invite create --platform apple --tier private --uses 10 --passkey owner.json --json',
    options: {
      platform: text('apple', 'kind of devices'),
      tier: text('TIER', 'private (default), no-wipe or full'),
      group: many('G', 'a group that the devices join; may be repeated'),
      unit: text('UNIT', 'organisational unit'),
      uses: text('N', 'how many devices may use it (default 1)'),
      expires: text('DAYS', 'when it ends, for example 30m, 12h, 7d or 2w (default 7d)'),
      unsigned: { type: 'boolean', about: 'a profile without a CMS signature' },
      'identity-days': text(
        'N',
        "life of the devices' certificates in days (default 397); they renew 30 days before the end",
      ),
      passkey,
      json,
    },
    words: [0, 0],
    load: () => import('./invite.ts'),
  },
  'order create': {
    summary: 'draft an order to devices',
    usage: '--action NAME (--device D | --group G | --all) --reason TEXT [options]',
    about:
      "An order is inert until members approve it. Its class is computed from what it does; what a device's enrolment does not allow is refused here.",
    example: 'bulkhead order create --action DeviceInformation --all --reason "quarterly inventory" --json',
    options: {
      action: text('NAME', 'a RequestType, for example DeviceLock'),
      device: many('D', 'id or alias of a device; may be repeated'),
      group: many('G', 'a group, by id or alias'),
      all: { type: 'boolean', about: 'every device' },
      set: many(
        'KEY=VALUE',
        'a key of the command; may be repeated. KEY=@FILE takes the value from a file, @@ is one @',
      ),
      body: text('FILE', 'the command as a property list, or a template of one'),
      'unknown-action': {
        type: 'boolean',
        about: 'draft an action that is not known here, for example a new one of Apple',
      },
      channel: text('CHANNEL', 'device (default) or user'),
      expires: text('HOURS', 'when it is not sent any more, for example 30m, 12h, 7d or 2w (default 7d)'),
      reason,
      json,
    },
    words: [0, 0],
    load: order,
  },
  'order approve': {
    summary: 'approve an order with a passkey',
    usage: 'ORDER --passkey FILE [--digest HEX]',
    about:
      'Shows all that will be signed, worked out here and not by the server, and signs the digest of exactly this order: its body, its devices, its expiry. On a terminal it waits for a typed yes. With --digest it signs only the order that you saw drafted: the server cannot put another in its place. The edge checks the signature itself before anything is sent.',
    example: 'bulkhead order approve 5f0c1d2e-8a4b-4c6d-9e7f-0a1b2c3d4e5f --passkey owner.json',
    options: { digest, passkey, json },
    words: [1, 1],
    load: order,
  },
  'order show': {
    summary: 'what became of an order, device by device',
    usage: 'ORDER [--json]',
    about:
      'ORDER is an id, or its first six or more characters. States: pending, sent, acknowledged, error, not-now, expired, cancelled. Personal values are sealed and not shown.',
    example: 'bulkhead order show 5f0c1d --json',
    options: { json },
    words: [1, 1],
    load: order,
  },
  'order cancel': {
    summary: 'cancel what an order has not sent yet',
    usage: '(ORDER | --all) --passkey FILE',
    about:
      'Signs a statement for the control log, which every edge obeys at once, whatever the database says. --all ends everything that was approved until now, standing orders too. What devices have already received is not undone.',
    example: 'bulkhead order cancel 5f0c1d2e-8a4b-4c6d-9e7f-0a1b2c3d4e5f --passkey owner.json',
    options: { all: { type: 'boolean', about: 'every order that was approved until now' }, digest, passkey, json },
    words: [0, 1],
    load: order,
  },
  'order list': {
    summary: 'list orders',
    usage: '[--json]',
    about: 'Newest first, with class, quorum and state.',
    example: 'bulkhead order list',
    options: { json },
    words: [0, 0],
    load: order,
  },
  'device list': {
    summary: 'list devices',
    usage: '[--json]',
    about:
      'Aliases, platforms, tiers, states and when each was last seen. No name, number or serial is stored in clear, so none is shown.',
    example: 'bulkhead device list --json',
    options: { group: text('G', 'only this group'), json },
    words: [0, 0],
    load: device,
  },
  'device show': {
    summary: 'one device: facts, orders, results',
    usage: 'DEVICE [--json]',
    about: 'DEVICE is an id or an alias.',
    example: 'bulkhead device show lobu-kate-rimo',
    options: { json },
    words: [1, 1],
    load: device,
  },
  'device reveal': {
    summary: 'show what a device said of itself: name, serial, numbers',
    usage: 'DEVICE --passkey FILE [--unit NAME]',
    about:
      'What is personal of a device is sealed in two halves when it comes in. This signs a grant, has the vault open one half and opens the other here. It is a release: in the ledger, and counted.',
    example: 'bulkhead device reveal badoke-timaru-lonise --passkey owner.json',
    options: { passkey, unit: unitOption, json },
    words: [1, 1],
    load: device,
  },
  'group create': {
    summary: 'make a group',
    usage: 'GROUP --passkey FILE',
    about: 'Membership is a signed version: whoever changes the database changes no group.',
    example: 'bulkhead group create kiosks --passkey owner.json',
    options: { passkey, json },
    words: [1, 1],
    load: group,
  },
  'group add': {
    summary: 'add devices to a group',
    usage: 'GROUP DEVICE … --passkey FILE [--anew]',
    about:
      'Signs the next version of the membership. Where whoever approved the newest one has left the roster, nobody is in the group: --anew goes on with the devices that are named here, and no other.',
    example: 'bulkhead group add kiosks lobu-kate-rimo --passkey owner.json',
    options: { passkey, anew: { type: 'boolean', about: 'of these devices alone' }, json },
    words: [2, 1000],
    load: group,
  },
  'group remove': {
    summary: 'take devices out of a group',
    usage: 'GROUP DEVICE … --passkey FILE',
    about: 'Signs the next version of the membership.',
    example: 'bulkhead group remove kiosks lobu-kate-rimo --passkey owner.json',
    options: { passkey, json },
    words: [2, 1000],
    load: group,
  },
  'group list': {
    summary: 'list groups, or the devices of one',
    usage: '[GROUP] [--json]',
    about: 'With a group, its devices.',
    example: 'bulkhead group list kiosks',
    options: { json },
    words: [0, 1],
    load: group,
  },
  'people import': {
    summary: 'put people from a table into a unit, sealed',
    usage: 'FILE --passkey FILE [--unit NAME]',
    about:
      'Reads CSV or XLSX with the columns givenName, familyName, email, mobile, office, language, by their headers and in any order; the last two may be missing. Everything is checked before anything is sent, and sealed on this machine: the server gets ciphertext and search tokens.',
    example: 'bulkhead people import staff.csv --unit root --passkey owner.json',
    options: {
      passkey,
      unit: unitOption,
      country: text('CODE', 'calling code of numbers without one, for example 32'),
      json,
    },
    words: [1, 1],
    load: people,
  },
  'people list': {
    summary: "list people by alias; shows nobody's name",
    usage: '[--unit NAME]',
    about: 'Aliases mean nothing and can be told to anybody. Names are sealed: see bulkhead people show.',
    example: 'bulkhead people list --json',
    options: { unit: unitOption, limit: text('N', 'how many at most (default 100)'), json },
    words: [0, 0],
    load: people,
  },
  'people find': {
    summary: 'find people by name, number or e-mail address',
    usage: 'TEXT --passkey FILE [--unit NAME]',
    about:
      'Looks for the beginning of a name, an e-mail address or a number (three letters or digits at least) and shows whom it found. The server sees keyed tokens only. Each person shown is a release: in the ledger, and counted.',
    example: 'bulkhead people find marg --passkey owner.json',
    options: { passkey, unit: unitOption, purpose: purposeOption, json },
    words: [1, 1],
    load: people,
  },
  'people show': {
    summary: 'show the names behind aliases',
    usage: 'ALIAS… --passkey FILE [--unit NAME]',
    about:
      'Signs a grant for exactly these people, asks the vault to open its half, and opens the other one here. Each person shown is a release: in the ledger, and counted (50 an hour and 200 a day for each member and unit).',
    example: 'bulkhead people show badoke-timaru --purpose support --passkey owner.json',
    options: { passkey, unit: unitOption, purpose: purposeOption, json },
    words: [1, 25],
    load: people,
  },
  'people assign': {
    summary: 'hand devices over to people, or take them back',
    usage: 'DEVICE=PERSON… --passkey FILE [--unit NAME]',
    about:
      'By ids or aliases; DEVICE= takes it back. Signed in your name: the server learns which alias has which device, and not who that is. An older assignment can never be put back in its place.',
    example: 'bulkhead people assign lobu-kate-rimo=badoke-timaru --passkey owner.json',
    options: { passkey, unit: unitOption, json },
    words: [1, 500],
    load: people,
  },
  'people erase': {
    summary: 'erase people for good, from every backup too',
    usage: 'ALIAS… --passkey FILE [--unit NAME]',
    about:
      'Removes the key that the vault needs to open them, and destroys the key under which the keyring stood before. What is in old backups of the database then opens for nobody.',
    example: 'bulkhead people erase badoke-timaru --passkey owner.json',
    options: { passkey, unit: unitOption, json },
    words: [1, 500],
    load: people,
  },
  'push csr': {
    summary: 'ask for a push certificate',
    usage: '[--out FILE]',
    about: 'Makes the key in the vault, where it stays, and writes the request that Apple signs.',
    example: 'bulkhead push csr --out push.csr',
    options: { out: text('FILE', 'where to write the request (default: printed)'), json },
    words: [0, 0],
    load: push,
  },
  'push import': {
    summary: 'import the push certificate',
    usage: 'FILE --account NAME --passkey FILE',
    about:
      'The topic is taken from the certificate. Renew it under the same Apple Account: another topic means that every device enrols again.',
    example: 'bulkhead push import push.pem --account mdm@example.org --passkey owner.json',
    options: { account: text('NAME', 'the Apple Account that was used'), passkey, json },
    words: [1, 1],
    load: push,
  },
  'push show': {
    summary: 'topic, expiry and account of the push certificate',
    usage: '[--json]',
    about: 'Without a certificate, devices must be woken by hand, and must enrol again once there is one.',
    example: 'bulkhead push show',
    options: { json },
    words: [0, 0],
    load: push,
  },
  'standing create': {
    summary: 'draft a standing order',
    usage: '--action NAME [--trigger enrolment|daily] --reason TEXT [options]',
    about:
      'Approved once, it goes to every device: when it enrols (and to those that are there already), or once a day. It can only read or change.',
    example: 'bulkhead standing create --action DeviceInformation --trigger daily --reason "device pages stay current"',
    options: {
      action: text('NAME', 'a RequestType that reads or changes'),
      set: many(
        'KEY=VALUE',
        'a key of the command; may be repeated. KEY=@FILE takes the value from a file, @@ is one @',
      ),
      body: text('FILE', 'the command as a property list'),
      trigger: text('WHEN', 'enrolment (default) or daily'),
      expires: text('DAYS', 'when it ends, for example 30d (default: as long as an order may last)'),
      reason,
      json,
    },
    words: [0, 0],
    load: standing,
  },
  'standing list': {
    summary: 'list standing orders',
    usage: '[--json]',
    about: 'With what each covers and until when.',
    example: 'bulkhead standing list',
    options: { json },
    words: [0, 0],
    load: standing,
  },
  'standing approve': {
    summary: 'approve a standing order',
    usage: 'ORDER --passkey FILE [--digest HEX]',
    about: 'Shows it and signs its digest, as for any order; --digest names the one that you saw drafted.',
    example: 'bulkhead standing approve 5f0c1d2e-8a4b-4c6d-9e7f-0a1b2c3d4e5f --passkey owner.json',
    options: { digest, passkey, json },
    words: [1, 1],
    load: standing,
  },
  'roster show': {
    summary: 'members, roles and policy as they count now',
    usage: '[--json]',
    about:
      'Worked out here from the control log, which is replayed from the genesis: who the members are, since when each counts, the policy with what still cools off, and whether deliveries are frozen. --json holds the roster itself, to be edited and given to roster propose --file.',
    example: 'bulkhead roster show --json',
    options: { json },
    words: [0, 0],
    load: roster,
  },
  'roster propose': {
    summary: 'propose the next version of the roster',
    usage: '[what changes …]',
    about:
      'Prints what changes, what is weakened and from when it counts, and who has to approve it. A new passkey, a role more and a weaker policy count after the cooling-off time; what is stricter counts at once.',
    example: 'bulkhead roster propose --add-member calm-otter=calm-otter.json.public.json --roles operator,approver',
    options: {
      'add-member': many(
        'ALIAS=FILE',
        'a member with this public part of a passkey; one more passkey where there is such a member',
      ),
      roles: text('ROLES', 'roles of those added (default operator,approver)'),
      'remove-member': many('ALIAS', 'whose approvals end at once'),
      'set-roles': many('ALIAS=ROLES', 'all roles of a member: owner, operator, approver, responder, auditor, dpo'),
      quorum: many('CLASS=N', 'approvals that read, change, trust or destroy takes; or roster=N'),
      budget: many(
        'CLASS=LIMIT',
        'devices that a class may reach: 10/24h, or "10,10%/1h,then all"; enrol=500/1h: how many may enrol',
      ),
      'cooling-off': text('TIME', 'how long what is new or weaker waits, for example 24h'),
      witness: many('VKEY', 'one more witness of the ledger'),
      cosignatures: text('N', 'how many witnesses a delivery needs'),
      'new-freeze-codes': { type: 'boolean', about: 'make new paper codes, printed once; the old ones are void' },
      file: text('FILE', 'a whole roster as JSON, as roster show --json has it'),
      json,
    },
    words: [0, 0],
    load: roster,
  },
  'roster approve': {
    summary: 'approve a version of the roster with a passkey',
    usage: 'PROPOSAL --passkey FILE [--digest HEX]',
    about:
      'Shows what would change, worked out here, and signs the digest of exactly this version. It takes the owners that the present version asks for, at least two where there are two.',
    example: 'bulkhead roster approve 0f3a91bc5d2e7a640f3a91bc5d2e7a64 --passkey owner.json',
    options: { digest, passkey, json },
    words: [1, 1],
    load: roster,
  },
  'roster history': {
    summary: 'every version of the roster, by whom, and what it changed',
    usage: '[--json]',
    about: 'Read from the control log itself and verified here: the console is not asked.',
    example: 'bulkhead roster history',
    options: { json },
    words: [0, 0],
    load: roster,
  },
  freeze: {
    summary: 'stop every delivery at once',
    usage: '(--passkey FILE | --code CODE)',
    about:
      'One responder or owner, or one paper code, which works once. It goes straight to the ledger, so it works while the console is away. Phones keep working; nothing is sent to them, no certificate is issued, nobody is woken.',
    example: 'bulkhead freeze --passkey owner.json',
    options: { passkey, code: text('CODE', 'a paper code, as it is printed'), json },
    words: [0, 0],
    load: freeze,
  },
  unfreeze: {
    summary: 'end a freeze, or approve its end',
    usage: '--passkey FILE [--digest HEX]',
    about:
      'Proposes the end of every freeze that stands now, or approves what another owner proposed, and says who is missing. It takes as many owners as a version of the roster.',
    example: 'bulkhead unfreeze --passkey owner.json',
    options: { digest, passkey, json },
    words: [0, 0],
    load: freeze,
  },
  'ledger key': {
    summary: "the ledger's verifier key",
    usage: '[--json]',
    about: 'One line in the form that C2SP tools take.',
    example: 'bulkhead ledger key',
    options: { json },
    words: [0, 0],
    load: ledger,
  },
  'ledger url': {
    summary: "where the ledger's tiles are read",
    usage: '[--json]',
    about: 'Anyone may read and mirror them.',
    example: 'bulkhead ledger url',
    options: { json },
    words: [0, 0],
    load: ledger,
  },
  'ledger fsck': {
    summary: 'compute the whole ledger anew and compare',
    usage: '[--json]',
    about:
      'Reads every entry, hashes every tile, and checks each against the signed head. Works while the server runs and while it does not.',
    example: 'bulkhead ledger fsck',
    options: { json },
    words: [0, 0],
    load: ledger,
  },
  'ledger proof': {
    summary: 'write a proof that an order is in the ledger',
    usage: 'ORDER|INDEX [--log main|control] [--out FILE] [--entry FILE]',
    about:
      'Writes a C2SP .tlog-proof: the inclusion proof of one entry and the checkpoint that it leads to, with the cosignatures of the witnesses where there are any. Whoever has the file, the entry and the keys can verify it without this installation, years later.',
    example: 'bulkhead ledger proof 5f0c1d2e-8a4b-4c6d-9e7f-0a1b2c3d4e5f --out order.tlog-proof --entry order.json',
    options: {
      log: text('LOG', 'main (default) or control'),
      out: text('FILE', 'where to write the proof (default: standard output)'),
      entry: text('FILE', 'where to write the entry itself, which verifying needs'),
      json,
    },
    words: [1, 1],
    load: () => import('./proof.ts'),
  },
  'ledger verify': {
    summary: 'verify a proof, offline and without an installation',
    usage: 'FILE.tlog-proof --entry FILE|- --log VKEY [--witness VKEY … --quorum K]',
    about:
      "Checks that the entry is in the tree that the log signed, and that enough witnesses saw this tree grow from what they saw before. Without a witness, only the log's own word stands behind it: a captured log could give somebody else another history.",
    example:
      'bulkhead ledger verify order.tlog-proof --entry order.json --log "$(head -n 1 ledger.keys)" --witness "$(cat dpo.key)"',
    options: {
      entry: text('FILE', 'the entry, byte for byte; - reads it from standard input'),
      log: many('VKEY', "the log's verifier key (bulkhead ledger key)"),
      witness: many('VKEY', 'a witness that you trust; may be repeated'),
      quorum: text('K', 'how many of them must have cosigned (default: all)'),
      json,
    },
    words: [1, 1],
    load: () => import('./proof.ts'),
  },
  'ledger mirror': {
    summary: 'keep a verified copy of a log somewhere else',
    usage: '--url PREFIX --dir DIR [--log VKEY]',
    about:
      'Run it on another machine, by cron for example. It copies what is new: checkpoint, tiles and entries over HTTP, each verified against what the log signed, and the new head must continue the old. A log that forked or shrank is refused with status 1; the copy stays as it was and the evidence lies beside it. A restore joins a backup with the tail of such a copy.',
    example:
      'bulkhead ledger mirror --url https://ledger.example.org/main --dir ./mirror --log "$(head -n 1 ledger.keys)"',
    options: {
      url: text('PREFIX', 'where the log is read (bulkhead ledger url), one log for each mirror'),
      dir: text('DIR', 'the copy; made at the first run'),
      log: many('VKEY', "the log's verifier key; remembered in the copy"),
      json,
    },
    words: [0, 0],
    load: () => import('./mirror.ts'),
  },
  witness: {
    summary: "watch over somebody's ledger from elsewhere",
    usage: '--dir DIR --port N --log VKEY [--log VKEY …] [options]',
    about:
      "A ledger signs its own history, so whoever captures it could show different people different ones. A witness remembers the newest checkpoint of each log and cosigns only what continues it. It proves something only in other hands than the ledger's: a data-protection officer's, a sister institution's, on another machine. It learns sizes and hashes, never an entry. It needs no installation, runs until SIGTERM, and prints one JSON line with its URL and its verifier key. Tell the URL to the ledger (bulkhead up --witness) and the key to those who verify. Never restore its folder from a backup: what it forgot it could sign twice.",
    example: 'bulkhead witness --dir ./witness --port 8470 --log "$(bulkhead ledger key | head -n 1)"',
    options: {
      dir: text('DIR', 'its key and its memory; made at the first start, for you alone'),
      port: text('N', 'port that ledgers reach it on; 0 picks one'),
      bind: text('ADDR', 'address that it listens on (default 127.0.0.1: put a TLS proxy in front)'),
      log: many('VKEY', 'verifier key of a log that it watches over (bulkhead ledger key); may be repeated'),
      name: text('NAME', 'its name in cosignatures, such as witness.example.org/w1; chosen once'),
    },
    words: [0, 0],
    load: () => import('./witness.ts'),
  },
  run: {
    summary: 'run a TypeScript file of this program',
    usage: 'FILE …',
    about:
      'Under the same Node and flags as everything else, but without the permission model. All that follows FILE is its own.',
    example: 'bulkhead run bench/main.ts',
    options: {},
    words: [1, 1000],
    load: () => import('./run.ts'),
  },
}
