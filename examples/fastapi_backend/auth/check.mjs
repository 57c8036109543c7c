// Ask Better Auth whether it misses anything in our tables; exit 1 if it does.
import { getMigrations } from "better-auth/db/migration";
import { options, pool } from "./auth.mjs";

const { toBeCreated, toBeAdded, compileMigrations } = await getMigrations(options);
await pool.end();

if (toBeCreated.length + toBeAdded.length > 0) {
  console.error("Better Auth would change the schema; write this as a migration of ours:");
  console.error(await compileMigrations());
  process.exit(1);
}
console.log("nothing to do");
