import type { Exchange } from "./exchange.js";
import { HttpError } from "./http-errors.js";
import { isPagePath, type PageFile, pageFile } from "./page-files.js";
import type { FoundRoute } from "./server-routes.js";

/** The chat page's files. They hold nothing that needs a key: what they ask for does. */
export function findPageRoute(method: string, path: string): FoundRoute | undefined {
  const reads = method === "GET" || method === "HEAD";
  return reads && isPagePath(path) ? { route: answerPage, name: "page" } : undefined;
}

async function answerPage(exchange: Exchange): Promise<void> {
  let file: PageFile | undefined;
  try {
    file = await pageFile(exchange.path);
  } catch {
    throw new HttpError(
      404,
      "page_not_found",
      "The page is not where cria is: a bundle needs the folder dist/page of the package beside it",
    );
  }
  const { "content-type": type = "", ...headers } = file?.headers ?? {};
  exchange.setHeaders(headers);
  exchange.sendText(file?.body ?? "", type);
}
