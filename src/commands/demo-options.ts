import { parseArgs } from 'node:util'
import { type Config, readConfig } from '../config.ts'
import { expectWithinSeconds } from './demo-bulk.ts'

export interface DemoOptions {
  /** Decides every identifier and requestId: the same seed tells the same story again. */
  seed: number
  /** Exit when the story is told, even on a terminal. */
  once: boolean
  /** Profiles of the bulk activation; 0: none. */
  profiles: number
  help: boolean
  config: Config
}

export const usage = `npm run demo -- [--seed N] [--profiles N] [--once]

  Starts the service beside a simulated carrier, activates a handful of eSIM profiles and then 10,000 in one request,
  and shows what the service makes of the carrier's callbacks. On a terminal it then stays up until Ctrl-C.

  --seed N       the same identifiers again (0 to 2147483647; default: random)
  --profiles N   how many profiles the bulk activation has (0 to 10000; 0: none; default: 10000)
  --once         exit when it is done, even on a terminal

  PORT           where the service listens (default: any free port)
  DATA_DIR       where the embedded database is (default: .data/demo)
  DATABASE_URL   another PostgreSQL instead, together with SEAL_KEY; made-up activations are written to it
`

const most = 2 ** 31 - 1
const mostProfiles = 10_000

/**
 * From the environment only what says where to listen and where to store data: with listeners and tokens, a browser
 * could not open the URLs that the demo ends with.
 */
export function readDemoOptions(args: string[], env: NodeJS.ProcessEnv): DemoOptions {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      profiles: { type: 'string' },
      once: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const { DATABASE_URL, DATABASE_URL_FILE, SEAL_KEY, SEAL_KEY_FILE, SEAL_KEYS_PREVIOUS, DATA_DIR, PORT } = env
  const profiles = values.profiles === undefined ? mostProfiles : readProfiles(values.profiles)
  return {
    seed: values.seed === undefined ? Math.floor(Math.random() * most) : readSeed(values.seed),
    profiles,
    once: values.once ?? false,
    help: values.help ?? false,
    config: readConfig({
      DATABASE_URL,
      DATABASE_URL_FILE,
      SEAL_KEY,
      SEAL_KEY_FILE,
      SEAL_KEYS_PREVIOUS,
      DATA_DIR: DATA_DIR || '.data/demo',
      PORT: PORT || '0',
      EXPECT_WITHIN: `${expectWithinSeconds(profiles)}s`,
    }),
  }
}

function readSeed(text: string): number {
  const seed = Number(text)
  if (!/^\d+$/.test(text) || seed > most) throw new Error(`--seed must be a whole number from 0 to ${most}`)
  return seed
}

function readProfiles(text: string): number {
  const profiles = Number(text)
  if (!/^\d+$/.test(text) || profiles > mostProfiles) {
    throw new Error(`--profiles must be a whole number from 0 to ${mostProfiles}`)
  }
  return profiles
}
