// An object's tags.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Refusal, type Thing, api, part } from "../api";
import type { Resource } from "../resources/types";
import { mayChange } from "../session";

export function TagEditor({ resource, one }: { resource: Resource; one: Thing }): JSX.Element {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const url = `${resource.path}/${part(one.id)}`;
  const put = (tags: string[]): Promise<unknown> =>
    resource.dialect === "octavia" ? api.put(url, { [resource.member]: { tags } }) : api.put(`${url}/tags`, { tags });
  const run = async (work: Promise<unknown>): Promise<void> => {
    setProblem("");
    try {
      await work;
      setText("");
    } catch (error) {
      setProblem(error instanceof Refusal ? error.message : String(error));
    }
  };
  const tags: string[] = one.tags;
  return (
    <form
      class="tageditor"
      aria-label="Tags"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = text.trim();
        if (wanted) void run(put([...new Set([...tags, wanted])]));
      }}
    >
      <span class="tags">
        {tags.map((tag) => (
          <span key={tag} class="tag">
            {tag}
            {mayChange.value && (
              <button type="button" class="plain" aria-label={`Remove tag ${tag}`} onClick={() => run(put(tags.filter((other) => other !== tag)))}>
                ×
              </button>
            )}
          </span>
        ))}
      </span>
      {mayChange.value && <input value={text} aria-label="New tag" placeholder="add a tag" onInput={(event) => setText(event.currentTarget.value)} />}
      {problem && (
        <small class="problem" role="alert">
          {problem}
        </small>
      )}
    </form>
  );
}
