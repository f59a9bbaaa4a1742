import { startIntake } from '../src/intake/server.ts'

startIntake(code => process.exit(code))
