// Acceptor: takes connections from one listening socket and makes their transports.
//
// One for each listening socket of an asyncio Server. The Python socket stays the owner of the listening descriptor;
// the Acceptor holds it, and the Loop holds the Acceptor while it is watched. An accepted descriptor belongs to this
// file until SocketTransport::make has succeeded, or Python has taken it.
//
// Connections are accepted until there are none left, at most `backlog` + 1 in a turn. When the process has no
// descriptors left, accepting pauses (asyncio.constants.ACCEPT_RETRY_DELAY) and then goes on.
#pragma once

#include "loop/address.hpp"
#include "loop/io_object.hpp"
#include "loop/loop.hpp"

namespace mainspring {

struct Acceptor {
  PyObject_HEAD IoObject io;
  Loop* loop;
  PyObject* loop_object;
  PyObject* protocol_factory;
  PyObject* socket;
  PyObject* server;
  PyObject* tls;      // None, or what Loop._accept_tls needs
  PyObject* context;  // copied for each connection
  int fd;
  int number;  // of the IP protocol, as the Python socket has it
  int backlog;
  bool is_tcp;

  // A new reference; nullptr with an exception set. Starts to accept.
  static PyObject* make(Loop* loop, PyObject* protocol_factory, PyObject* socket, PyObject* server, PyObject* tls,
                        int backlog, PyObject* context);

  static Acceptor* from(PyObject* self) { return reinterpret_cast<Acceptor*>(self); }

  static PyObject* resume(PyObject* self, PyObject*);
  static PyObject* stop(PyObject* self, PyObject*);
  static void dealloc(PyObject* self);
  static int traverse(PyObject* self, visitproc visit, void* argument);
  static int clear(PyObject* self);

 private:
  static const IoKind kKind;

  static int serve(void* owner, int events);
  static int nothing(IoObject*) { return 0; }
  static void loop_closes(IoObject* io);

  int accept_all();
  int accepted(int connection, const Address& peer);
  int refused(int connection, PyObject* protocol);
  int out_of_resources();
  bool start();
};

}  // namespace mainspring
