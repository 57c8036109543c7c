// Better Auth on the tables that our migrations made: plural, snake_case, text ids.
//
// AUTH_DATABASE_URL names a login that is a member of todo_auth and of nothing else, so
// that a hole in the sign-in service does not open anybody's tasks.
import { betterAuth } from "better-auth";
import { Pool } from "pg";
import { secret } from "./secret.mjs";

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const pool = new Pool({
  connectionString: required("AUTH_DATABASE_URL"),
  max: 5,
  idleTimeoutMillis: 60_000,
  connectionTimeoutMillis: 10_000,
});

// Neon closes idle connections; without a listener that would end the process.
pool.on("error", (error) => console.error(`idle connection lost: ${error.message}`));

const times = { createdAt: "created_at", updatedAt: "updated_at" };

export const options = {
  appName: "Todo",
  baseURL: required("BETTER_AUTH_URL"),
  basePath: "/api/auth",
  secret: secret(),
  database: pool,
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  user: {
    modelName: "users",
    fields: { emailVerified: "email_verified", ...times },
  },
  session: {
    modelName: "sessions",
    fields: {
      userId: "user_id",
      expiresAt: "expires_at",
      ipAddress: "ip_address",
      userAgent: "user_agent",
      ...times,
    },
    // The backend asks the database on every request: signing out takes effect at once.
    cookieCache: { enabled: false },
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
      ...times,
    },
  },
  verification: {
    modelName: "verifications",
    fields: { expiresAt: "expires_at", ...times },
  },
};

export const auth = betterAuth(options);
