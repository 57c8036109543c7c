// Better Auth on our tables, under the snake_case mapping that docs/roles.md shows. Prints as
// JSON what its own migrations would change (nothing), then signs a user up, in and out.
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { Pool } from "pg";

const timestamps = { createdAt: "created_at", updatedAt: "updated_at" };
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
const options = {
  database: pool,
  secret: "a secret of at least thirty-two characters",
  baseURL: "http://localhost:3000",
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  user: {
    modelName: "users",
    fields: { emailVerified: "email_verified", ...timestamps },
    deleteUser: { enabled: true },
  },
  session: {
    modelName: "sessions",
    fields: {
      expiresAt: "expires_at",
      ipAddress: "ip_address",
      userAgent: "user_agent",
      userId: "user_id",
      ...timestamps,
    },
  },
  account: {
    modelName: "accounts",
    fields: {
      accountId: "account_id",
      providerId: "provider_id",
      userId: "user_id",
      accessToken: "access_token",
      refreshToken: "refresh_token",
      idToken: "id_token",
      accessTokenExpiresAt: "access_token_expires_at",
      refreshTokenExpiresAt: "refresh_token_expires_at",
      ...timestamps,
    },
  },
  verification: {
    modelName: "verifications",
    fields: { expiresAt: "expires_at", ...timestamps },
  },
};

const { toBeCreated, toBeAdded } = await getMigrations(options);
const auth = betterAuth(options);
const password = "correct horse battery staple";
const email = "Margaret@Example.com";
const signedUp = await auth.api.signUpEmail({ body: { name: "Margaret", email, password } });
const signedIn = await auth.api.signInEmail({ body: { email, password } });
console.log(
  JSON.stringify({
    toBeCreated: toBeCreated.map(({ table }) => table),
    toBeAdded: toBeAdded.map(({ table, fields }) => [table, Object.keys(fields)]),
    user: signedUp.user,
    token: signedIn.token,
  }),
);
await pool.end();
