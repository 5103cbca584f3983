import { AnswerClock } from "./answer-clock.js";
import type {
  AnswerEvent,
  AnswerRequest,
  ChatTransport,
  TransportError,
} from "./chat-transport.js";
import {
  type Answer,
  addPiece,
  type CallPart,
  type Conversation,
  messagesOf,
  newConversation,
  openCalls,
  type Question,
  roundOf,
} from "./conversation.js";
import { AnswerView, QuestionView } from "./message-views.js";
import { byId } from "./page-elements.js";

export interface ActiveChatNeeds {
  readonly transport: ChatTransport;
  /** How the next answer is wanted. */
  request(): Omit<AnswerRequest, "messages" | "signal">;
  /** Something began or ended to run. */
  changed(): void;
  /** The conversation has changed. */
  keep(conversation: Conversation): void;
  failed(error: unknown): void;
  answered(): void;
}

/** Between copies of a conversation that are written while an answer grows. */
const KEEP_MS = 2000;
/** Nearer to its end than this, a conversation follows what comes. */
const NEAR = 80;
/** Of an answer as it is said to those who do not see it. */
const SAID_MAX = 2000;

/** The conversation that is shown, and the answer that is under way in it. */
export class ActiveChat {
  readonly #needs: ActiveChatNeeds;
  readonly #list = byId<HTMLOListElement>("chat");
  readonly #main = byId("main");
  #conversation = newConversation();
  #views: (QuestionView | AnswerView)[] = [];
  #stop: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  readonly #keepingEnd = (change: () => void) => {
    const { scrollHeight, scrollTop, clientHeight } = this.#main;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    change();
    if (atEnd) this.#main.scrollTop = this.#main.scrollHeight;
  };

  constructor(needs: ActiveChatNeeds) {
    this.#needs = needs;
    const toEnd = byId("to-end");
    toEnd.addEventListener("click", () => this.#showEnd());
    const look = () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#main;
      toEnd.hidden = scrollHeight - scrollTop - clientHeight < NEAR * 2;
    };
    this.#main.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(this.#list);
  }

  get conversation(): Conversation {
    return this.#conversation;
  }

  get running(): boolean {
    return this.#stop !== undefined;
  }

  stop(): void {
    this.#stop?.abort();
  }

  /** Shows another conversation; an answer that is under way in this one ends where it is. */
  async open(conversation: Conversation): Promise<void> {
    await this.#quiet();
    this.#conversation = conversation;
    this.#views = [];
    this.#list.replaceChildren();
    for (const [i, turn] of conversation.turns.entries()) {
      if (turn.role === "user") this.#showQuestion(turn, i);
      else this.#showAnswer(turn, i).running = false;
    }
    byId("welcome").hidden = conversation.turns.length > 0;
    this.#showEnd();
  }

  async send(text: string, images: readonly string[]): Promise<void> {
    await this.#quiet();
    await this.#ask({ role: "user", text, images });
  }

  editLast(): void {
    const view = this.#views.findLast((one) => one instanceof QuestionView);
    view?.edit();
  }

  async #quiet(): Promise<void> {
    this.stop();
    await this.#running;
  }

  #ask(question: Question): Promise<void> {
    const { turns } = this.#conversation;
    byId("welcome").hidden = true;
    turns.push(question);
    this.#showQuestion(question, turns.length - 1);
    return this.#answer();
  }

  #answer(): Promise<void> {
    const { turns } = this.#conversation;
    const answer: Answer = { role: "assistant", model: this.#needs.request().model, parts: [] };
    turns.push(answer);
    const view = this.#showAnswer(answer, turns.length - 1);
    this.#showEnd();
    return this.#run(answer, view);
  }

  /** Forgets what came from here on. */
  async #cut(index: number): Promise<void> {
    await this.#quiet();
    this.#conversation.turns.length = index;
    for (const { item } of this.#views.splice(index)) item.remove();
  }

  #showQuestion(question: Question, index: number): void {
    const view = new QuestionView(question, {
      edit: async (text) => {
        await this.#cut(index);
        await this.#ask({ role: "user", text, images: question.images });
      },
    });
    this.#views.push(view);
    this.#list.append(view.item);
  }

  #showAnswer(answer: Answer, index: number): AnswerView {
    const acts = {
      again: async () => {
        await this.#cut(index);
        await this.#answer();
      },
      ...(this.#needs.transport.takesTools && {
        result: async (call: CallPart, text: string) => {
          await this.#cut(index + 1);
          call.result = text;
          view.call(call);
          if (openCalls(answer).length > 0) this.#needs.keep(this.#conversation);
          else await this.#run(answer, view);
        },
      }),
    };
    const view: AnswerView = new AnswerView(answer, acts, this.#keepingEnd);
    this.#views.push(view);
    this.#list.append(view.item);
    return view;
  }

  #run(answer: Answer, view: AnswerView): Promise<void> {
    this.#running = this.#generate(answer, view);
    return this.#running;
  }

  async #generate(answer: Answer, view: AnswerView): Promise<void> {
    const { transport, request, changed } = this.#needs;
    const conversation = this.#conversation;
    const stop = new AbortController();
    const clock = new AnswerClock();
    const messages = messagesOf(conversation.turns);
    this.#stop = stop;
    delete answer.failure;
    delete answer.note;
    view.running = true;
    announce("Answering…");
    this.#keep();
    changed();
    let kept = performance.now();
    try {
      for await (const event of transport.answer({ ...request(), messages, signal: stop.signal })) {
        clock.take(event);
        if (event.type === "end") answer.note = clock.note(event);
        else this.#take(event, answer, view);
        if (performance.now() - kept < KEEP_MS) continue;
        kept = performance.now();
        this.#keep();
      }
    } catch (error) {
      if (stop.signal.aborted) answer.note = clock.note({ reason: "stopped" });
      else {
        answer.failure = failureOf(error);
        this.#needs.failed(error);
      }
    }
    this.#stop = undefined;
    view.running = false;
    announce(answer.failure?.message ?? textOf(answer));
    this.#keep();
    changed();
    this.#needs.answered();
  }

  #take(event: Exclude<AnswerEvent, { type: "end" }>, answer: Answer, view: AnswerView): void {
    if (event.type === "verdict") {
      const [question] = this.#views.slice(-2);
      const turn = this.#conversation.turns.at(-2);
      if (event.of === "answer") {
        answer.verdict = event.verdict;
        this.#keepingEnd(() => view.verdict(event.verdict));
      } else if (question instanceof QuestionView && turn?.role === "user") {
        turn.verdict = event.verdict;
        this.#keepingEnd(() => question.verdict(event.verdict));
      }
    } else if (event.type === "text" || event.type === "reasoning") {
      addPiece(answer, event.type, event.text);
      const part = answer.parts.at(-1) as Extract<Answer["parts"][number], { text: string }>;
      this.#keepingEnd(() => view.piece(part, event.text));
    } else {
      const call = this.#callOf(event, answer);
      this.#keepingEnd(() => view.call(call));
    }
  }

  #callOf(event: Extract<AnswerEvent, { id: string }>, answer: Answer): CallPart {
    let call = openCalls(answer).find(({ id }) => id === event.id);
    if (call === undefined) {
      const name = event.type === "call" ? event.name : "";
      call = { type: "call", id: event.id, name, arguments: "", round: roundOf(answer) };
      answer.parts.push(call);
    }
    if (event.type === "call") call.arguments += event.arguments;
    else {
      call.result = event.text;
      call.failed = event.failed;
    }
    return call;
  }

  #keep(): void {
    this.#conversation.updated = Date.now();
    this.#needs.keep(this.#conversation);
  }

  #showEnd(): void {
    this.#main.scrollTop = this.#main.scrollHeight;
  }
}

function failureOf(error: unknown): NonNullable<Answer["failure"]> {
  const { message, code } = error as TransportError;
  return { message, ...(typeof code === "string" && { code }) };
}

function textOf({ parts, note }: Answer): string {
  const text = parts.map((part) => (part.type === "text" ? part.text : "")).join(" ");
  return text.trim().slice(0, SAID_MAX) || note || "";
}

/** Says it to those who do not see it. What grows is said once, when it is complete. */
function announce(text: string): void {
  byId("announcer").textContent = text;
}
