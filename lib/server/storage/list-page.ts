import { HttpError } from "../http-errors.js";

/** A page of a list, as OpenAI's clients turn them. */
export interface ListPage<T> {
  readonly object: "list";
  readonly data: readonly T[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

export interface PageRules {
  readonly limit: number;
  readonly most: number;
  /** Fields of the query besides `limit` and `after`. */
  readonly more: readonly string[];
}

/**
 * The part of a list that a query asks for with `limit` and `after`.
 *
 * @throws {HttpError} 400
 */
export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  query: URLSearchParams,
  { limit: usual, most, more }: PageRules,
): ListPage<T> {
  for (const key of query.keys()) {
    if (!["limit", "after", ...more].includes(key)) {
      throw refused(`Unknown query parameter ${key.slice(0, 100)}`, key);
    }
  }
  const limit = query.get("limit") ?? String(usual);
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1 || Number(limit) > most) {
    throw refused(`Expected an integer from 1 to ${most} for \`limit\``, "limit");
  }
  const after = query.get("after");
  const before = after === null ? -1 : all.findIndex(({ id }) => id === after);
  if (after !== null && before < 0) throw refused("`after` names nothing of this list", "after");
  const data = all.slice(before + 1, before + 1 + Number(limit));
  return {
    ...{ object: "list", data },
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: before + 1 + data.length < all.length,
  };
}

export function oneOfQuery<const T extends string>(
  query: URLSearchParams,
  key: string,
  allowed: readonly T[],
): T | undefined {
  const value = query.get(key);
  if (value === null) return undefined;
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw refused(`Expected one of ${allowed.join(", ")} for \`${key}\``, key);
}

function refused(message: string, key: string): HttpError {
  return new HttpError(400, "invalid_query", message, { param: key.slice(0, 100) });
}
