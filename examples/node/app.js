// A shop's server: it answers with the users that another service has, and serves the page of
// ../browser. Nothing in this file is about telemetry: the instrumentation is loaded before it.
// https://opentelemetry.io/docs/zero-code/js/
const path = require('node:path');
const express = require('express');
const pino = require('pino');

const frontend = process.env.FRONTEND_URL ?? 'http://localhost:8080';
const log = pino();
const app = express();

app.use(express.static(path.join(__dirname, '..', 'browser', 'dist')));

app.get('/health', (req, res) => res.send('ok\n'));

app.get('/customers', async (req, res) => {
  const answer = await fetch(`${frontend}/api/users`);
  if (!answer.ok) {
    log.error({ status: answer.status }, 'no customers');
    return res.status(502).json({ error: 'the frontend does not answer with users' });
  }
  const { users } = await answer.json();
  log.info({ count: users.length }, 'customers read');
  res.json(users);
});

const server = app.listen(process.env.PORT ?? 8071, '127.0.0.1', () => log.info(server.address(), 'listening'));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
