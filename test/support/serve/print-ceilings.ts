import { Ceilings, hasH2load, kinds } from "./ceilings.ts";

// What requests cost in the server, as JSON: for `npm run bench`.
if (!hasH2load()) console.log(JSON.stringify({ missing: "h2load (Debian: nghttp2-client)" }));
else {
  const ceilings = await Ceilings.start();
  const grpc: object[] = [];
  for (const kind of kinds) {
    const { model, most } = kind;
    grpc.push({ model, most, ...(await ceilings.grpc(kind)) });
  }
  const http = await ceilings.http();
  const distance = await ceilings.distance();
  await ceilings.close();
  console.log(JSON.stringify({ grpc, http, distance }));
}
