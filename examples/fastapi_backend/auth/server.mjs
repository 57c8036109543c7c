// A plain HTTP server around Better Auth's handler. In production a reverse proxy sends
// /api/auth here and the rest to the backend, so that both share the cookie.
import { createServer } from "node:http";
import { toNodeHandler } from "better-auth/node";
import { auth, pool } from "./auth.mjs";

// The longest body: names, addresses and passwords are far shorter.
const MAX_BODY = 64 * 1024;

const handle = toNodeHandler(auth);
const server = createServer((request, response) => {
  // Of errors too: no proxy and no browser keeps what is one user's.
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("X-Content-Type-Options", "nosniff");
  answer(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});

async function answer(request, response) {
  const body = await read(request);
  if (body === null) {
    response.writeHead(413, { "Connection": "close" });
    response.end();
    return;
  }
  if (body.length > 0) request.body = body.toString(); // Better Auth takes it from here
  await handle(request, response);
}

// Read a body; null if it is too large, and then no more of it is read.
async function read(request) {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY) return null;
  const pieces = [];
  let size = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    size += piece.length;
    if (size > MAX_BODY) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  console.log(`listening on http://${address}:${port}`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close(() => pool.end());
    server.closeAllConnections();
  });
}
