// wine 8 does not know the socket option by which libuv says how long a connection may be idle: with it every
// connection of fetch() fails.

const { Socket } = require("node:net");

Socket.prototype.setKeepAlive = function () {
  return this;
};
