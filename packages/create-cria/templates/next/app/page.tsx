"use client";

import { type FormEvent, useRef, useState } from "react";

interface Message {
  readonly role: "user" | "assistant";
  readonly content: string;
}

export default function Page() {
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [problem, setProblem] = useState("");
  const [prompt, setPrompt] = useState("");
  const running = useRef<AbortController>(undefined);
  const [busy, setBusy] = useState(false);

  async function send(event: FormEvent) {
    event.preventDefault();
    if (prompt.trim() === "" || busy) return;
    const asked: readonly Message[] = [...messages, { role: "user", content: prompt.trim() }];
    setMessages(asked);
    setPrompt("");
    setProblem("");
    setBusy(true);
    running.current = new AbortController();
    try {
      const response = await fetch("/api/chat", {
        method: "POST",
        body: JSON.stringify({ messages: asked }),
        signal: running.current.signal,
      });
      if (!response.ok || response.body === null) throw new Error(await response.text());
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let content = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        content += value;
        setMessages([...asked, { role: "assistant", content }]);
      }
    } catch (error) {
      if (!running.current.signal.aborted) setProblem(String(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <main>
      {messages.map(({ role, content }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: messages are only added
        <p key={i} style={{ whiteSpace: "pre-wrap", fontWeight: role === "user" ? 600 : 400 }}>
          {content}
        </p>
      ))}
      {problem !== "" && <p role="alert">{problem}</p>}
      <form onSubmit={send} style={{ display: "flex", gap: "0.5rem" }}>
        <input
          aria-label="Your message"
          placeholder="What is a baby llama called?"
          value={prompt}
          onChange={(event) => setPrompt(event.target.value)}
          style={{ flex: 1, padding: "0.5rem" }}
        />
        <button type="submit" disabled={busy}>
          Send
        </button>
        <button type="button" disabled={!busy} onClick={() => running.current?.abort()}>
          Stop
        </button>
      </form>
    </main>
  );
}
