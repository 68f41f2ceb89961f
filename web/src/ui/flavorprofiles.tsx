// On a router flavor's page: the profiles that it stands for.
import type { JSX } from "preact";
import { type Thing, api, part } from "../api";
import { may, mayChange } from "../session";
import { Ref } from "./cells";
import { Inline } from "./inline";
import { Remove } from "./removable";

export function FlavorProfiles({ flavor }: { flavor: Thing }): JSX.Element {
  const url = `flavors/${part(flavor.id)}/service_profiles`;
  const those: string[] = flavor.service_profiles ?? [];
  const changes = mayChange.value && may("admin");
  return (
    <section class="part">
      <header class="head">
        <h2>
          Profiles <span class="count">{those.length}</span>
        </h2>
      </header>
      <ul class="plainlist">
        {those.map((id) => (
          <li key={id}>
            <Ref kind="service_profiles" id={id} /> {changes && <Remove what={`profile ${id}`} run={() => api.delete(`${url}/${part(id)}`)} />}
          </li>
        ))}
      </ul>
      {changes && <Inline title="Add a profile" fields={[{ name: "id", label: "Profile", as: "ref", of: "service_profiles" }]} save={({ id }) => api.post(url, { service_profile: { id } })} />}
    </section>
  );
}
