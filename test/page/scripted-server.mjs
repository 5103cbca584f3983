// The chat page's files, and beside them a server that answers what a test has written down: in the shapes of
// cria's own server, which a real model would not be brought to fill with whatever is needed.

import { once } from "node:events";
import { createServer } from "node:http";
import { pageFile } from "cria/server";

export async function serveScripted() {
  const script = {
    /** Async, with the request's body and `send(delta)`; what it returns is the end's `finish_reason`. */
    answer: async () => "stop",
    /** The bodies of chats. */
    asked: [],
    /** The paths of all that was asked for. */
    paths: [],
    address: "",
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://page");
    script.paths.push(pathname);
    const file = await pageFile(pathname);
    const json = (status, body) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (file) response.writeHead(200, file.headers).end(file.body);
    else if (pathname === "/v1/models") json(200, { data: [{ id: "scripted" }] });
    else if (pathname.startsWith("/v1/models/")) json(200, { id: "scripted" });
    else if (pathname === "/v1/chat/completions") await chat(request, response, json);
    else json(404, { error: { message: `Nothing at ${pathname}`, code: "unknown_url" } });
  });

  async function chat(request, response, json) {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    const asked = JSON.parse(body);
    script.asked.push(asked);
    let count = 0;
    const event = (value) => {
      if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
      return response.write(`data: ${JSON.stringify(value)}\n\n`);
    };
    const send = (delta) => {
      count += 1;
      return event({ choices: [{ index: 0, delta, finish_reason: null }] });
    };
    const gone = once(response, "close");
    try {
      const finish_reason = await script.answer(asked, send, gone);
      event({ choices: [{ index: 0, delta: {}, finish_reason }] });
      const details = { cached_tokens: 3 };
      const usage = { completion_tokens: count, prompt_tokens: 7, prompt_tokens_details: details };
      event({ choices: [], usage });
      response.end("data: [DONE]\n\n");
    } catch (error) {
      const { status = 500, message, code = null } = error;
      if (response.headersSent) response.destroy();
      else json(status, { error: { message, type: "invalid_request_error", param: null, code } });
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  script.address = `http://127.0.0.1:${server.address().port}/`;
  return script;
}
