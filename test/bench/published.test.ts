import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

const read = (file: string) => readFileSync(path.join(import.meta.dirname, file), 'utf8')

t.test('the README publishes what the guard holds the code to', async t => {
  const { durableAcknowledgementsOfBareFastifyAt64Connections: ratio } = JSON.parse(read('published.json'))
  const row = /^\| callbacks acknowledged after a durable commit, 64 connections \|.*\| (\d\.\d+) \(/m
  t.equal(Number(row.exec(read('../../README.md'))?.[1]), ratio)
})
