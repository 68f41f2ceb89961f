// What the server says in words: ids in it become links, by what stands before them.
import type { JSX } from "preact";
import { Id, Ref } from "../ui/cells";

const ID = /([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/;

export function Said({ text }: { text: string }): JSX.Element {
  const parts = text.split(ID);
  return (
    <>
      {parts.map((part, at) => {
        if (at % 2 === 0) return part;
        const before = parts[at - 1];
        if (/(security group|from|to) $/.test(before)) return <Ref key={at} kind="security_groups" id={part} />;
        return <Id key={at} id={part} />;
      })}
    </>
  );
}
