/**
 * The one shape of an error answer of the admin API: `{"error": {"code", "message"}}`.
 *
 * @module
 */

/** Body of every answer with a status of 400 and above, except `/readyz` and a reload that was refused. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string };
}

/**
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * const answer = errorAnswer(404, "NOT_FOUND", "no such page");
 * assert.deepEqual(await answer.json(), { error: { code: "NOT_FOUND", message: "no such page" } });
 * ```
 */
export function errorAnswer(status: number, code: string, message: string): Response {
  const body: ErrorBody = { error: { code, message } };
  return Response.json(body, { status });
}
