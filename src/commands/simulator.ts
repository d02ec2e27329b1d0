import { badDay } from '../simulator/settings.ts'
import type { StartOptions } from '../simulator/start-simulator.ts'
import { startSimulator } from '../simulator/start-simulator.ts'

/**
 * `npm run simulator`: a carrier to practise with, on its own.
 *
 * SIMULATOR_HOST, SIMULATOR_PORT, SIMULATOR_SEED, SIMULATOR_BAD_DAY=1; SIMULATOR_KEY, _SECRET, _USERNAME, _PASSWORD
 * (any are right when not set); SIMULATOR_CALLBACK_URL, _ACCOUNT, _SERVICE, _CALLBACK_USERNAME, _CALLBACK_PASSWORD
 * register a listener at once; SIMULATOR_ALLOW_ANY_HOST=1 lets it post beyond loopback.
 */
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

try {
  const options = readOptions(process.env)
  const simulator = await startSimulator(options)
  const anyValue = Object.keys(options.credentials ?? {}).length === 0 ? '   (any credentials will do)' : ''
  let leaving = false
  const leave = () => {
    if (leaving) return
    leaving = true
    simulator.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', leave)
  process.on('SIGINT', leave)
  // Printed last: whoever reads it may send a signal at once.
  console.log(`Simulated carrier at ${simulator.url}/   seed ${simulator.seed}
Point the service at it:

  THINGSPACE_BASE_URL=${simulator.url} THINGSPACE_KEY=key THINGSPACE_SECRET=secret \\
  THINGSPACE_USERNAME=user THINGSPACE_PASSWORD=password npm start${anyValue}
`)
  for (const { accountName, serviceName, url } of simulator.state().listeners) {
    console.log(`Callbacks of ${accountName} ${serviceName} go to ${url}`)
  }
} catch (error) {
  console.error(`The simulator did not start: ${describeStart(error)}`)
  process.exitCode = 1
}

function describeStart(error: unknown): string {
  const { code, answer } = error as { code?: string; answer?: { body: string } }
  if (code === 'EADDRINUSE') return 'the port is taken; set SIMULATOR_PORT to another'
  return answer?.body ?? (error instanceof Error ? error.message : String(error))
}
