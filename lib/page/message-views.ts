import type { Verdict } from "./chat-transport.js";
import type { Answer, AnswerPart, CallPart, Question } from "./conversation.js";
import { hintFor } from "./failure-hints.js";
import { GrowingMarkdown } from "./growing-markdown.js";
import { codeElement } from "./markdown-dom.js";
import { copyText, element, icon, iconButton, textButton } from "./page-elements.js";

/** What a question's buttons do. */
export interface QuestionActs {
  edit(text: string): void;
}

/** What an answer's buttons do. */
export interface AnswerActs {
  again(): void;
  /** The user has told what a tool answers. Undefined where the user is not asked. */
  readonly result?: (call: CallPart, text: string) => void;
}

function badgeOf({ safe, label, detail }: Verdict): HTMLElement {
  const badge = element("span", safe ? "badge" : "badge unsafe", icon("shield"), label);
  badge.title = detail;
  return badge;
}

/** What the user has said. */
export class QuestionView {
  readonly item = element("li", "user");
  readonly #question: Question;
  readonly #acts: QuestionActs;
  readonly #shown = element("div", "shown");

  constructor(question: Question, acts: QuestionActs) {
    this.#question = question;
    this.#acts = acts;
    this.#show();
    this.item.append(element("h3", "aside", "You"), this.#shown);
    if (question.verdict !== undefined) this.verdict(question.verdict);
  }

  verdict(verdict: Verdict): void {
    this.item.append(badgeOf(verdict));
  }

  #show(): void {
    const { text, images } = this.#question;
    this.#shown.replaceChildren();
    if (images.length > 0) {
      const pictures = images.map((url) => {
        const picture = element("img");
        picture.src = url;
        picture.alt = "A picture of yours";
        return picture;
      });
      this.#shown.append(element("div", "pictures", ...pictures));
    }
    const copy = iconButton("copy", "Copy the message", (button) => void copyText(text, button));
    const edit = iconButton("edit", "Edit the message", () => this.edit());
    const line = element("div", "line", element("div", "actions", copy, edit));
    if (text !== "") {
      const words = element("div", "text", text);
      words.dir = "auto";
      line.append(words);
    }
    this.#shown.append(line);
  }

  /** In place; what came behind it goes once it is sent. */
  edit(): void {
    const area = element("textarea");
    area.value = this.#question.text;
    area.setAttribute("aria-label", "Edit the message");
    area.dir = "auto";
    const close = () => {
      this.#show();
      this.#shown.querySelector<HTMLButtonElement>(".actions button:last-child")?.focus();
    };
    const send = () => {
      const text = area.value.trim();
      if (text !== "" || this.#question.images.length > 0) this.#acts.edit(text);
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    const buttons = element("div", "buttons");
    buttons.append(textButton("Cancel", close), textButton("Send", send, "primary"));
    this.#shown.replaceChildren(element("div", "editing", area, buttons));
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }
}

/** What the model answers, as it grows. */
export class AnswerView {
  readonly item = element("li", "assistant");
  readonly #answer: Answer;
  readonly #acts: AnswerActs;
  readonly #keepingEnd: (change: () => void) => void;
  readonly #body = element("div", "body");
  readonly #foot = element("div", "foot");
  readonly #cards = new Map<CallPart, CallCard>();
  /** What shows the last part, where it is one that grows. */
  #growing: { readonly part: AnswerPart; readonly text: GrowingMarkdown } | undefined;
  #thoughts: HTMLElement | undefined;

  /** @param keepingEnd changes what is shown, and keeps the end in sight where it was */
  constructor(answer: Answer, acts: AnswerActs, keepingEnd: (change: () => void) => void) {
    this.#answer = answer;
    this.#acts = acts;
    this.#keepingEnd = keepingEnd;
    this.item.append(element("h3", "aside", "Answer"), this.#body, this.#foot);
    for (const part of answer.parts) {
      if (part.type === "call") this.call(part);
      else this.piece(part, part.text);
    }
    if (answer.verdict !== undefined) this.verdict(answer.verdict);
  }

  set running(is: boolean) {
    this.item.classList.toggle("running", is);
    this.item.setAttribute("aria-busy", String(is));
    if (is) this.#foot.replaceChildren();
    else this.#end();
  }

  /** @param text what was added to this part */
  piece(part: Extract<AnswerPart, { text: string }>, text: string): void {
    if (this.#growing?.part !== part) {
      this.#settle();
      const root = element("div", "markdown");
      this.#growing = { part, text: new GrowingMarkdown(root) };
      if (part.type === "text") {
        root.classList.add("text");
        this.#body.append(root);
      } else {
        this.#thoughts = element("span", "state", "is thinking…");
        const summary = element("summary", "", icon("thought"), "Thoughts", this.#thoughts);
        this.#body.append(element("details", "reasoning", summary, root));
      }
    }
    this.#growing.text.add(text, this.#keepingEnd);
  }

  /** A call that has begun, or has gone on. */
  call(part: CallPart): void {
    this.#settle();
    const known = this.#cards.get(part);
    if (known !== undefined) {
      known.show();
      return;
    }
    const card = new CallCard(part);
    this.#cards.set(part, card);
    this.#body.append(card.details);
  }

  verdict(verdict: Verdict): void {
    this.#body.append(badgeOf(verdict));
  }

  #settle(): void {
    this.#growing?.text.finish();
    this.#growing = undefined;
    if (this.#thoughts !== undefined) this.#thoughts.textContent = "";
    this.#thoughts = undefined;
  }

  #end(): void {
    const { note, failure, parts } = this.#answer;
    this.#keepingEnd(() => {
      this.#settle();
      for (const [part, card] of this.#cards) {
        const { result } = this.#acts;
        if (part.result !== undefined) card.show();
        else card.ask(result && ((text) => result(part, text)));
      }
      const said = parts.filter(({ type }) => type === "text") as { text: string }[];
      const text = said.map((part) => part.text).join("\n\n");
      const actions = element("div", "actions");
      if (text !== "") {
        actions.append(
          iconButton("copy", "Copy the answer", (button) => void copyText(text, button)),
        );
      }
      actions.append(iconButton("again", "Answer again", () => this.#acts.again()));
      this.#foot.replaceChildren(actions);
      if (note !== undefined) this.#foot.prepend(element("div", "note", note));
      if (failure !== undefined) this.#foot.prepend(failureCard(failure));
    });
  }
}

function failureCard({ message, code }: NonNullable<Answer["failure"]>): HTMLElement {
  const words = element("div", "", element("p", "message", message));
  const hint = hintFor(code);
  if (hint !== undefined) words.append(element("p", "", hint));
  if (code !== undefined) words.append(element("code", "", code));
  const card = element("div", "failure", icon("alert"), words);
  card.setAttribute("role", "alert");
  return card;
}

/** A call of a tool: its arguments, and what it was told. */
class CallCard {
  readonly details = element("details", "tool");
  readonly #part: CallPart;
  readonly #state = element("span", "state");
  readonly #asked = element("dd");
  readonly #told = element("dd");
  #form: HTMLFormElement | undefined;

  constructor(part: CallPart) {
    this.#part = part;
    const name = codeElement(part.name);
    const summary = element("summary", "", icon("wrench"), name, this.#state);
    const values = element("dl", "", element("dt", "", "asks"), this.#asked);
    values.append(element("dt", "", "is told"), this.#told);
    this.details.append(summary, values);
    this.show();
  }

  show(): void {
    const { arguments: given, result, failed } = this.#part;
    this.#asked.replaceChildren(codeElement(given));
    this.#told.replaceChildren(result === undefined ? "…" : codeElement(result));
    this.#state.textContent = result === undefined ? "is running…" : failed ? "failed" : "answered";
    if (result !== undefined) this.#form?.remove();
  }

  /** Nobody else has carried the call out: the user may say what the tool would. */
  ask(tell: ((text: string) => void) | undefined): void {
    if (this.#form?.isConnected) return;
    if (tell === undefined) {
      this.#state.textContent = "was not carried out";
      return;
    }
    this.#state.textContent = "waits for its result";
    const area = element("textarea");
    area.setAttribute("aria-label", `What ${this.#part.name} returns`);
    area.placeholder = "What the tool returns, such as JSON";
    const send = element("button", "primary", "Send the result");
    const form = element("form", "", area, send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tell(area.value);
    });
    this.#form = form;
    this.details.append(form);
    this.details.open = true;
  }
}
