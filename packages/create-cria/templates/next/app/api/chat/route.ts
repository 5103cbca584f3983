// POST /api/chat with { "messages": [{ "role": "user", "content": "…" }] } streams the answer as plain text.

import { type ChatMessageInput, ChatSession, CriaError } from "cria";
import { getContext } from "../../../lib/engine";

export const runtime = "nodejs"; // the engine is native code

export async function POST(request: Request): Promise<Response> {
  const messages = readMessages(await request.json().catch(() => undefined));
  if (messages === undefined) {
    return Response.json(
      { error: 'Expected { messages: [{ role: "user" or "assistant", content: "text" }, …] }' },
      { status: 400 },
    );
  }
  try {
    // A client that goes away aborts its signal, and so its generation.
    const session = new ChatSession(await getContext(), {
      maxTokens: 1024,
      temperature: 0, // the likeliest answer; without this line, as the model's file recommends
      signal: request.signal,
    });
    const events = session.send(messages)[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        for (;;) {
          const { done, value } = await events.next();
          if (done) return controller.close();
          if (value.type === "text") return controller.enqueue(encoder.encode(value.text));
        }
      },
      async cancel() {
        await events.return?.();
      },
    });
    return new Response(stream, { headers: { "content-type": "text/plain; charset=utf-8" } });
  } catch (error) {
    if (!CriaError.is(error)) throw error;
    const status =
      error.code === "ERR_INVALID_ARGUMENT" || error.code === "ERR_UNSUPPORTED" ? 400 : 500;
    return Response.json({ error: error.message, code: error.code }, { status });
  }
}

/** Texts alone: a path of a picture in what a stranger sends would be opened here, and a system message is yours. */
function readMessages(body: unknown): ChatMessageInput[] | undefined {
  const { messages } = (body ?? {}) as { messages?: unknown };
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  const read: ChatMessageInput[] = [];
  for (const { role, content } of messages.map((one) => one ?? {})) {
    if ((role !== "user" && role !== "assistant") || typeof content !== "string") return undefined;
    read.push({ role, content });
  }
  return read;
}
