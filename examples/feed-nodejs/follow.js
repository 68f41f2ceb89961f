// Follows Netweft's feed in Node.js (18 or newer, nothing else needed): keeps a file equal to the region.
//
//     OS_AUTH_URL=... OS_USERNAME=... (or OS_APPLICATION_CREDENTIAL_ID, _SECRET) node follow.js STATE.json ports,networks
//
// STATE.json has {place, objects: {KIND: {ID: OBJECT}}}.  It is written whole, with its place, so whenever this program
// is killed it goes on from there, at any server.  Replace `act` by what your device needs: it is called with each
// object that is new or other (`was` is what it was), or gone (`now` is null), in the feed's order, perhaps twice.
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");

const [file, kinds] = process.argv.slice(2);
const env = process.env;
const state = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : { place: "", objects: {} };
let marked = null; // after `whole`: what was named since, by kind; what else we have goes at the next place

function act(kind, id, was, now) {
  console.log(`${now === null ? "-" : was === undefined ? "+" : "~"} ${kind} ${id}`);
}

function put(kind, id, now) {
  const had = (state.objects[kind] ??= {});
  const was = had[id];
  if (now === null ? was === undefined : JSON.stringify(was) === JSON.stringify(now)) return;
  act(kind, id, was, now);
  if (now === null) delete had[id];
  else had[id] = now;
}

function sweep() {
  for (const [kind, ids] of marked)
    for (const id of Object.keys(state.objects[kind] ?? {})) if (!ids.has(id)) put(kind, id, null);
  marked = null;
}

function save() {
  fs.writeFileSync(`${file}.new`, JSON.stringify(state));
  fs.renameSync(`${file}.new`, file);
}

function take(event) {
  if (event.event === "whole") {
    marked = new Map(event.kinds.map((kind) => [kind, new Set()]));
  } else if (event.event === "changed") {
    for (const one of event.objects) {
      put(event.kind, one.id, one);
      marked?.get(event.kind).add(one.id);
    }
  } else if (event.event === "unchanged") {
    for (const id of event.ids) marked?.get(event.kind).add(id);
  } else if (event.event === "gone") {
    for (const id of event.ids) put(event.kind, id, null);
  } else if (event.event === "place") {
    if (marked) sweep();
    state.place = event.place;
    save();
  } else if (event.event === "end") {
    console.error(`the stream ends: ${event.reason}`);
  } // what we do not know is for those who do
}

function request(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const made = (url.startsWith("https:") ? https : http).request(url, { method, headers, timeout: 60000 }, resolve);
    made.on("timeout", () => made.destroy(new Error("silence"))); // the feed says something each 20 s
    made.on("error", reject);
    made.end(body);
  });
}

async function logIn() {
  const credential = { id: env.OS_APPLICATION_CREDENTIAL_ID, secret: env.OS_APPLICATION_CREDENTIAL_SECRET };
  const domain = { name: env.OS_USER_DOMAIN_NAME ?? "Default" };
  const user = { name: env.OS_USERNAME, password: env.OS_PASSWORD, domain };
  const auth = credential.id
    ? { identity: { methods: ["application_credential"], application_credential: credential } }
    : {
        identity: { methods: ["password"], password: { user } },
        scope: { project: { name: env.OS_PROJECT_NAME, domain: { name: env.OS_PROJECT_DOMAIN_NAME ?? "Default" } } },
      };
  const headers = { "Content-Type": "application/json" };
  const answer = await request("POST", `${env.OS_AUTH_URL}/auth/tokens`, headers, JSON.stringify({ auth }));
  let text = "";
  for await (const part of answer) text += part;
  if (answer.statusCode !== 201) throw new Error(`login: ${answer.statusCode} ${text}`);
  const catalog = JSON.parse(text).token.catalog ?? [];
  const network = catalog.find((service) => service.type === "network");
  const url = env.NETWEFT_URL ?? network?.endpoints.find((one) => one.interface === "public")?.url;
  if (!url) throw new Error("the catalogue has no network service: set NETWEFT_URL");
  return { token: answer.headers["x-subject-token"], url: url.replace(/\/$/, "") };
}

async function follow() {
  const { token, url } = await logIn();
  const query = new URLSearchParams({ kinds, place: state.place });
  const answer = await request("GET", `${url}/v2.0/netweft/feed?${query}`, { "X-Auth-Token": token });
  marked = null; // a `whole` that was cut off is told again
  answer.setEncoding("utf8");
  let text = "";
  for await (const part of answer) {
    // the next part is read when this one is done: who is slow is told less often, and of what is so then
    text += part;
    if (answer.statusCode !== 200) continue;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) take(JSON.parse(line));
  }
  if (answer.statusCode !== 200) throw new Error(`the feed: ${answer.statusCode} ${text}`);
}

async function main() {
  for (let wait = 100; ; wait = Math.min(wait * 2, 15000)) {
    const place = state.place;
    try {
      await follow();
    } catch (error) {
      console.error(String(error.message ?? error));
    }
    if (state.place !== place) wait = 100;
    await new Promise((done) => setTimeout(done, wait));
  }
}

main();
