import { parseArgs } from 'node:util'
import { badDay } from '../simulator/settings.ts'
import { type RunningSimulator, type StartOptions, startSimulator } from '../simulator/start-simulator.ts'
import { CannotDo, command, runHere } from './command-line.ts'

const usage = `npm run simulator -- [--help]

  A simulated carrier on its own: it answers like ThingSpace, calls back, and misbehaves on request. Ends on Ctrl-C.

  SIMULATOR_HOST, SIMULATOR_PORT   where it listens (default: 127.0.0.1, 4000; port 0: any free one)
  SIMULATOR_SEED                   the same identifiers and the same misbehaviour again (default: by chance)
  SIMULATOR_BAD_DAY=1              callbacks come late, twice, shuffled, with warnings first, or never
  SIMULATOR_KEY, SIMULATOR_SECRET, SIMULATOR_USERNAME, SIMULATOR_PASSWORD
                                   the credentials that it accepts (default: any)
  SIMULATOR_CALLBACK_URL           registers a listener with this URL at once; its account, service and credentials:
                                   SIMULATOR_ACCOUNT (default: 0000123456-00001), SIMULATOR_SERVICE (CarrierService),
                                   SIMULATOR_CALLBACK_USERNAME, SIMULATOR_CALLBACK_PASSWORD
  SIMULATOR_ALLOW_ANY_HOST=1       lets it post callbacks beyond this machine
`

const readOptions = (env: NodeJS.ProcessEnv): StartOptions => {
  const {
    SIMULATOR_KEY: key,
    SIMULATOR_SECRET: secret,
    SIMULATOR_USERNAME: username,
    SIMULATOR_PASSWORD: password,
  } = env
  const { SIMULATOR_CALLBACK_USERNAME: listenerName, SIMULATOR_CALLBACK_PASSWORD: listenerPassword } = env
  const url = env.SIMULATOR_CALLBACK_URL
  const listener = url && {
    url,
    accountName: env.SIMULATOR_ACCOUNT || '0000123456-00001',
    serviceName: env.SIMULATOR_SERVICE || 'CarrierService',
    ...(listenerName ? { username: listenerName } : {}),
    ...(listenerPassword ? { password: listenerPassword } : {}),
  }
  return {
    host: env.SIMULATOR_HOST || '127.0.0.1',
    port: readWhole('SIMULATOR_PORT', env.SIMULATOR_PORT || '4000', 65_535),
    ...(env.SIMULATOR_SEED ? { seed: readWhole('SIMULATOR_SEED', env.SIMULATOR_SEED, 2 ** 31 - 1) } : {}),
    ...(env.SIMULATOR_BAD_DAY === '1' ? { settings: badDay } : {}),
    credentials: {
      ...(key ? { key } : {}),
      ...(secret ? { secret } : {}),
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
    },
    listeners: listener ? [listener] : [],
    allowAnyHost: env.SIMULATOR_ALLOW_ANY_HOST === '1',
  }
}

const readWhole = (name: string, text: string, most: number): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > most) throw new Error(`${name} must be a whole number up to ${most}`)
  return value
}

await runHere(
  command(usage, async (args, { env, say }) => {
    parseArgs({ args, options: {} })
    const { simulator, anyValue } = await start(env)
    const signal = new Promise(resolve => {
      for (const name of ['SIGTERM', 'SIGINT']) process.on(name, resolve)
    })
    // Printed last: whoever reads it may send a signal at once.
    say(`Simulated carrier at ${simulator.url}/   seed ${simulator.seed}
Point the service at it:

  THINGSPACE_BASE_URL=${simulator.url} THINGSPACE_KEY=key THINGSPACE_SECRET=secret \\
  THINGSPACE_USERNAME=user THINGSPACE_PASSWORD=password npm start${anyValue}
`)
    for (const { accountName, serviceName, url } of simulator.state().listeners) {
      say(`Callbacks of ${accountName} ${serviceName} go to ${url}`)
    }
    await signal
    await simulator.close()
    return 0
  }),
)

async function start(env: NodeJS.ProcessEnv): Promise<{ simulator: RunningSimulator; anyValue: string }> {
  try {
    const options = readOptions(env)
    const simulator = await startSimulator(options)
    const isAnyRight = Object.keys(options.credentials ?? {}).length === 0
    return { simulator, anyValue: isAnyRight ? '   (any credentials will do)' : '' }
  } catch (error) {
    throw new CannotDo(`The simulator did not start: ${describeStart(error)}`, { cause: error })
  }
}

function describeStart(error: unknown): string {
  const { code, answer } = error as { code?: string; answer?: { body: string } }
  if (code === 'EADDRINUSE') return 'the port is taken; set SIMULATOR_PORT to another'
  return answer?.body ?? (error instanceof Error ? error.message : String(error))
}
