// A relay as one would write it on ws: the same paths, headers and envelopes,
// without limits, takeover, heartbeats, or a seal.
// usage: node relay.js PORT [CERTIFICATE KEY]      (on 127.0.0.1)
import { readFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { WebSocketServer } from "ws";

const [port, cert, key] = process.argv.slice(2);
const server = cert ? createHttps({ cert: readFileSync(cert), key: readFileSync(key) }) : createHttp();
const sockets = new WebSocketServer({ noServer: true, maxPayload: 262144 });
const rooms = new Map(); // server-id: { binary, phones: conn_id to socket }

function joinBinary(socket, id) {
  if (rooms.has(id)) return socket.close(4409, "server-id already claimed");
  const room = { binary: socket, phones: new Map() };
  rooms.set(id, room);
  socket.on("message", (data) => {
    let envelope;
    try {
      envelope = JSON.parse(data);
    } catch {
      return;
    }
    room.phones.get(envelope.conn_id)?.send(JSON.stringify(envelope.frame));
  });
  socket.on("close", () => {
    rooms.delete(id);
    for (const phone of room.phones.values()) phone.close(1001);
  });
}

let phonesSeen = 0;

function joinPhone(socket, id) {
  const room = rooms.get(id);
  if (!room) return socket.close(4404, "no such server");
  const connId = `client-${id}-${(++phonesSeen).toString(16).padStart(8, "0")}`;
  room.phones.set(connId, socket);
  const prefix = `{"conn_id":${JSON.stringify(connId)},"frame":`;
  socket.on("message", (data) => {
    const text = data.toString();
    try {
      JSON.parse(text);
    } catch {
      return;
    }
    room.binary.send(`${prefix}${text}}`);
  });
  socket.on("close", () => room.phones.delete(connId));
}

server.on("upgrade", (request, stream, head) => {
  const id = request.headers["x-pyrycode-server"];
  const join = { "/v1/server": joinBinary, "/v1/client": joinPhone }[request.url];
  if (!id || !join) return stream.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  sockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on("error", () => {});
    join(socket, id);
  });
});
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
