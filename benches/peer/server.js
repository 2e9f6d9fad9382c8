// A webhook receiver as it is usually written with Express and PostgreSQL: the raw body is verified,
// claimed by an insert that ignores what is there already, and then answered. One process, as `node
// server.js` starts it, with the pool's default size.
'use strict';

const crypto = require('node:crypto');
const express = require('express');
const { Pool } = require('pg');

const { DATABASE_URL, PORT, SIGNING_SECRET } = process.env;

const TABLE = `
  CREATE TABLE IF NOT EXISTS webhook_event (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     TEXT NOT NULL,
    event_type   TEXT NOT NULL,
    payload      JSONB NOT NULL,
    received_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    processed_at TIMESTAMPTZ,
    UNIQUE (event_id, event_type)
  )`;
const CLAIM = `
  INSERT INTO webhook_event (event_id, event_type, payload) VALUES ($1, $2, $3)
  ON CONFLICT (event_id, event_type) DO NOTHING`;

const pool = new Pool({ connectionString: DATABASE_URL });

function isSigned(request) {
  const told = Buffer.from(request.get('x-cal-signature-256') ?? '', 'hex');
  const right = crypto.createHmac('sha256', SIGNING_SECRET).update(request.body).digest();
  return told.length === right.length && crypto.timingSafeEqual(told, right);
}

const app = express();
app.disable('x-powered-by');
app.post('/webhooks/calcom', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
  if (!isSigned(request)) {
    response.status(401).send('bad signature');
    return;
  }
  let event;
  try {
    event = JSON.parse(request.body);
  } catch {
    response.status(400).send('not JSON');
    return;
  }
  try {
    // As text: what was received is what is stored, and it is not spelt out a second time.
    await pool.query({
      name: 'claim',
      text: CLAIM,
      values: [event.payload.uid, event.triggerEvent, request.body.toString()],
    });
    response.status(200).send('ok');
  } catch (error) {
    console.error('cannot store a webhook:', error.message);
    response.status(503).send('cannot store');
  }
});

async function main() {
  await pool.query(TABLE);
  app.listen(Number(PORT), '127.0.0.1');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
