// How a conversation looks. Everything that a model, a tool or a user wrote goes in as text, never as HTML.

const chat = document.querySelector("#chat");
const main = document.querySelector("main");
const welcome = document.querySelector("#welcome");

const SHIELD = "M12 2 4 5v6c0 5 3.4 9.7 8 11 4.6-1.3 8-6 8-11V5l-8-3Z";
const WRENCH =
  "M22 6.5a5.5 5.5 0 0 1-7.4 5.2L7 19.3a2.1 2.1 0 0 1-3-3l7.6-7.6A5.5 5.5 0 0 1 18.3 1.6L15 4.9l.8 3.3 3.3.8L22.1 5.7c.1.3-.1.5-.1.8Z";

function element(name, className, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  svg.firstChild.setAttribute("d", path);
  return svg;
}

/** Keeps the end in sight, unless the reader has scrolled up. */
function keepingEnd(change) {
  const atEnd = main.scrollHeight - main.scrollTop - main.clientHeight < 80;
  const result = change();
  if (atEnd) main.scrollTop = main.scrollHeight;
  return result;
}

export function clear() {
  chat.replaceChildren();
  welcome.hidden = false;
}

export function addUser(text) {
  welcome.hidden = true;
  const item = element("li", "user");
  item.append(element("div", "text", text));
  chat.append(item);
  main.scrollTop = main.scrollHeight;
  return { badge: (verdict) => keepingEnd(() => item.append(badgeOf(verdict))) };
}

/** An answer that grows. */
export function addAnswer() {
  welcome.hidden = true;
  const item = element("li", "assistant");
  const tools = new Map();
  let text;
  chat.append(item);
  return {
    running: (is) => item.classList.toggle("running", is),
    text: (more) =>
      keepingEnd(() => {
        text ??= item.appendChild(element("div", "text"));
        text.append(more);
      }),
    tool: (call) =>
      keepingEnd(() => {
        text = undefined;
        const card = toolCard(call);
        tools.set(call.id, card);
        item.append(card.details);
      }),
    toolResult: (callId, shown, failed) => tools.get(callId)?.result(shown, failed),
    badge: (verdict) => keepingEnd(() => item.append(badgeOf(verdict))),
    note: (line, failed = false) =>
      keepingEnd(() => item.append(element("div", failed ? "note failed" : "note", line))),
  };
}

function badgeOf({ safe, score, categories }) {
  const found = categories.map(({ code, name }) => `${code} ${name}`).join(", ");
  const badge = element("span", safe ? "badge" : "badge unsafe");
  badge.title = `Llama Guard: P(unsafe) ${score.toFixed(3)}`;
  badge.append(icon(SHIELD), safe ? "Safe" : `Blocked${found && `: ${found}`}`);
  return badge;
}

function toolCard({ function: called }) {
  const details = element("details", "tool");
  const summary = element("summary");
  const state = element("span", "state", "is running…");
  const values = element("dl");
  const shown = element("dd", "", "…");
  summary.append(icon(WRENCH), element("code", "", called.name), state);
  values.append(element("dt", "", "asks"), element("dd", "", called.arguments));
  values.append(element("dt", "", "is told"), shown);
  details.append(summary, values);
  return {
    details,
    result(text, failed) {
      state.textContent = failed ? "failed" : "answered";
      shown.textContent = text;
    },
  };
}

/** A conversation that was there before, as OpenAI's messages. */
export function restore(messages) {
  clear();
  let answer;
  for (const message of messages) {
    if (message.role === "user") {
      answer = undefined;
      addUser(message.content);
    } else if (message.role === "assistant") {
      answer ??= addAnswer();
      for (const call of message.tool_calls ?? []) answer.tool(call);
      if (message.content) answer.text(message.content);
    } else if (message.role === "tool") {
      answer?.toolResult(message.tool_call_id, message.content, false);
    }
  }
}
