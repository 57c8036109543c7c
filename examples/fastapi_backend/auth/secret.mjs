// The secret that signs the cookies: whoever can guess it is anybody. The same rules stand in
// todo_backend/settings.py; a test holds them together.
const LENGTH = 32;
const PLACEHOLDER = /change.?me|your.secret|placeholder|better.auth.secret|development.only/i;

// What is wrong with a secret; null if nothing is. The secret is never repeated.
function problem(secret) {
  const characters = [...secret];
  if (characters.length === 0) return "is not set";
  if (characters.length < LENGTH) return `has ${characters.length} characters; it needs ${LENGTH}`;
  if (new Set(characters).size < 8) return "has fewer than 8 different characters";
  if (PLACEHOLDER.test(secret)) return "is a placeholder that everybody knows";
  return null;
}

// Return BETTER_AUTH_SECRET, or end the process.
export function secret() {
  const found = process.env.BETTER_AUTH_SECRET ?? "";
  const wrong = problem(found);
  if (wrong) {
    console.error(`BETTER_AUTH_SECRET ${wrong}: make one with \`openssl rand -hex 32\``);
    process.exit(1);
  }
  return found;
}
