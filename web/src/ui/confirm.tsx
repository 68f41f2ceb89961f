// One question at a time, asked in a dialog; answered by a promise.
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Question {
  title: string;
  text: ComponentChildren;
  yes: string;
  answer: (yes: boolean) => void;
}

const asked = signal<Question | null>(null);

export function confirmed(title: string, text: ComponentChildren, yes: string): Promise<boolean> {
  asked.value?.answer(false);
  return new Promise((resolve) => {
    asked.value = {
      title,
      text,
      yes,
      answer: (said) => {
        asked.value = null;
        resolve(said);
      },
    };
  });
}

export function Confirm(): JSX.Element | null {
  const question = asked.value;
  const dialog = useRef<HTMLDialogElement>(null);
  const yes = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (!question) return;
    if (!dialog.current?.open) dialog.current?.showModal();
    yes.current?.focus();
  }, [question]);
  if (!question) return null;
  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={() => question.answer(false)}>
      <h2 id="question">{question.title}</h2>
      <div class="text">{question.text}</div>
      <footer>
        <button type="button" onClick={() => question.answer(false)}>
          Cancel
        </button>
        <button type="button" class="danger" ref={yes} onClick={() => question.answer(true)}>
          {question.yes}
        </button>
      </footer>
    </dialog>
  );
}
