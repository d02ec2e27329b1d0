// Loaded into the service before anything else: each SIGUSR2 moves its clock, a day ahead, two back, one ahead.
const day = 86_400_000
const jumps = [day, -day, 0]
const real = Date.now
let offset = 0

Date.now = () => real() + offset
globalThis.Date = new Proxy(Date, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [real() + offset] : args),
})

process.on('SIGUSR2', () => {
  offset = jumps.shift() ?? 0
  process.stderr.write('the clock has jumped\n')
})
