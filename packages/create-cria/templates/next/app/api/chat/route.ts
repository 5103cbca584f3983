// POST /api/chat with { "messages": [{ "role": "user", "content": "…" }] } streams the answer as plain text.

import { type ChatMessageInput, ChatSession, CriaError } from "cria";
import { getContext } from "../../../lib/engine";

export const runtime = "nodejs"; // the engine is native code

export async function POST(request: Request): Promise<Response> {
  const body = (await request.json().catch(() => undefined)) as
    | { messages?: readonly ChatMessageInput[] }
    | undefined;
  if (!Array.isArray(body?.messages) || body.messages.length === 0) {
    return Response.json(
      { error: "Expected { messages: [{ role, content }, …] }" },
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
    const events = session.send(body.messages)[Symbol.asyncIterator]();
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
